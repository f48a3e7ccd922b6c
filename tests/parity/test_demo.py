# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_demo.py
"""The committed demo model says what Hugging Face says, as text, in chat, and to the last of 64 greedy tokens."""

import json
import math
import subprocess

import pytest

from harness import F32, GOLDENS, ROOT, compile_model, log_softmax, succeed

RUNS = json.loads((GOLDENS / "demo.json").read_text())["runs"]
STORY, CODE, TOKEN = RUNS


@pytest.fixture(scope="module", params=["f32", "default"])
def app(request, tmp_path_factory):
    options = F32 if request.param == "f32" else ()
    folder = tmp_path_factory.mktemp(request.param)
    return compile_model(ROOT / "configs/tiny/demo", folder / "demo", "--context", 256, *options)


def test_text_is_continued(app):
    text = succeed(app.path, "run", STORY["text"], "-n", 64, "--temperature", 0)
    # The detokeniser of `run` keeps nothing back at the end of the text.
    assert text == STORY["answer"] + "\n"


@pytest.mark.parametrize("threads", [1, 2])
def test_ids_are_hugging_faces(app, threads):
    for run in RUNS:
        assert app.greedy(run["prompt"], len(run["greedy"]), "--threads", threads) == run["greedy"]


def test_generation_stops_at_the_end_of_the_turn(app):
    text = succeed(app.path, "run", "--chat", TOKEN["text"], "--temperature", 0)
    assert text == TOKEN["answer"] + "\n"


def test_the_models_own_defaults_are_greedy(app):
    """generation_config.json says do_sample: false."""
    assert succeed(app.path, "run", "--chat", CODE["text"], "-n", 64) == CODE["answer"] + "\n"


def test_sampling_repeats_with_its_seed(app):
    def sample(seed):
        return succeed(app.path, "run", "A", "-n", 48, "--temperature", 3, "--seed", seed)

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_text_becomes_ids_and_back(app):
    turn = f"<|im_start|>user\n{TOKEN['text']}<|im_end|>\n<|im_start|>assistant\n"
    ids = succeed(app.path, "tokenize", turn).split()
    assert TOKEN["prompt"][-len(ids) :] == [int(i) for i in ids]
    path = app.path.parent / "ids"
    path.write_text(" ".join(ids))
    assert succeed(app.path, "detokenize", "--ids", path) == turn


def test_perplexity_is_that_of_the_logits(app):
    text = (ROOT / "configs/tiny/demo.txt").read_text().split("\n\n")[-1]
    path = app.path.parent / "text"
    path.write_text(text)
    ids = [int(i) for i in succeed(app.path, "tokenize", text).split()]
    rows = log_softmax(app.logits(ids))
    expected = math.exp(-sum(rows[i, ids[i + 1]] for i in range(len(ids) - 1)) / (len(ids) - 1))
    words = succeed(app.path, "perplexity", path).split()
    assert words[0] == "perplexity" and float(words[1]) == pytest.approx(expected, rel=1e-4)
    assert f"{len(ids) - 1} predicted tokens of {len(ids)}" in " ".join(words)


def test_chat_keeps_its_turns(app):
    """Two questions on standard input: each is answered, the second one with the first in the context."""
    done = subprocess.run(
        [str(app.path), "chat", "--temperature", "0"],
        input=f"{TOKEN['text']}\nThank you\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert TOKEN["answer"] in done.stdout
    assert "You are welcome." in done.stdout
    assert "<|" not in done.stdout


def test_stopping_at_a_reader_that_left(app):
    """A closed pipe ends the program without a message of ours failing."""
    done = subprocess.run(
        ["bash", "-c", f"'{app.path}' run '{STORY['text']}' -n 64 | head -c 5"], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == STORY["answer"][:5]
    assert "internal" not in done.stderr
