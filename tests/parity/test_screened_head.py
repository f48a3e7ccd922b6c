# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_screened_head.py
"""A screened head decodes the full head's tokens, whatever the head's rows are, and gives every logit where it is asked for."""

import json
import re

import numpy as np
import pytest

import checkpoint
import models
from harness import QWENC, compile_model, execute, same_bits, succeed, write_ids

IDS, COUNT, V = list(range(5, 17)), 40, 1500
CONTEXT = ("--context", 80)


def ties(head):
    """Many rows equal, others off by one step of one value."""
    head[V // 3 : V // 2] = head[7]
    head[V // 2 : V - 100] = head[11]
    head[V // 2 : V - 100, 2] ^= 1


def equal(head):
    head[:] = head[7]


def loud(head):
    """A third of the rows have scales 64 times the others'."""
    blocks = head.reshape(V, -1, 34)
    blocks[::3, :, :2] = (blocks[::3, :, :2].copy().view("<f2") * np.float16(64)).view(np.uint8)


HEADS = {"random": lambda head: None, "ties": ties, "equal": equal, "loud": loud}


@pytest.fixture(scope="module", params=list(HEADS))
def pair(request, tmp_path_factory):
    """The same model, screened and not."""
    folder = tmp_path_factory.mktemp(request.param)
    model = models.quantised(60, {"*": "q8_0"}, tied=False, V=V, D=256, L=2)
    path = checkpoint.write_gguf(folder / "model.gguf", model, changes={"output.weight": HEADS[request.param]})
    return [compile_model(path, folder / mode, *CONTEXT, "--screened-head", mode) for mode in ("on", "off")]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_tokens_are_the_full_heads(pair, threads):
    screened, full = (app.greedy(IDS, COUNT, "--threads", threads) for app in pair)
    assert screened == full and len(full) == COUNT


def test_every_logit_is_there_where_asked_for(pair):
    screened, full = (app.logits(IDS) for app in pair)
    assert same_bits(screened, full)
    assert np.isfinite(screened).all()


CHOICES = {
    "all": ("--temperature", 1),
    "top-p": ("--temperature", 1, "--top-p", 0.5),
    "top-k": ("--temperature", 0.3, "--top-k", 20),
    "top-k one": ("--temperature", 1, "--top-k", 1),
    "top-k most": ("--temperature", 0.1, "--top-k", V - 1),
    "model": ("--temperature", 0.1, "--top-k", 20, "--top-p", 0.8, "--repetition-penalty", 1.1),
    "min-p": ("--temperature", 0.1, "--min-p", 0.3),
    "penalty": ("--temperature", 0, "--repetition-penalty", 1.3),
    "reward": ("--temperature", 0.2, "--top-k", 5, "--repetition-penalty", 0.8),
}


FAST_CHOICES = ("all", "top-k", "top-k most", "model")


@pytest.mark.parametrize(
    "choice", [pytest.param(name, marks=() if name in FAST_CHOICES else pytest.mark.slow) for name in CHOICES]
)
def test_choices_are_the_full_heads(pair, choice):
    for seed in range(6):
        ids = [(seed * 97 + i * i) % V for i in range(8)]
        options = (*CHOICES[choice], "--seed", seed)
        full = pair[1].generate(ids, COUNT, *options)
        assert len(full) == COUNT
        assert pair[0].generate(ids, COUNT, *options) == full
        assert pair[0].generate(ids, COUNT, *options, "--all-logits") == full
        assert pair[0].generate(ids, COUNT, *options, "--prompt-lookup", "always", "--threads", 3) == full


def screening(app, *options):
    """Steps with the screened head; of them, those that were repeated with all logits."""
    done = execute(app.path, "run", "--ids", write_ids(app.path.parent / "ids", IDS), "--output-ids", "-n", COUNT,
                   "--ignore-stop", "--prompt-lookup", "off", "--seed", 1, "--stats", *options)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.search(r"screened head: (\d+) steps, (\d+) of them again", done.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def test_choices_among_the_largest_are_screened(pair):
    screened, full = pair
    for choice in ("top-k", "top-k one", "model", "min-p", "penalty"):
        steps, missed = screening(screened, *CHOICES[choice])
        assert 0 < steps < COUNT and missed <= steps
        assert screening(screened, *CHOICES[choice], "--all-logits") == (0, 0)
        assert screening(full, *CHOICES[choice]) == (0, 0)
    for choice in ("all", "top-p", "reward"):
        assert screening(screened, *CHOICES[choice]) == (0, 0)


def test_bench_and_info_tell_what_is_read(pair):
    screened, full = (json.loads(succeed(app.path, "info", "--json"))["plan"] for app in pair)
    assert screened["screened_head"] and not full["screened_head"]
    head = V * 256 * 17 // 16
    assert screened["decode_bytes"] - screened["screened_bytes"] >= head * 4 // 9
    rows = json.loads(succeed(pair[0].path, "bench", "-p", 8, "-n", 16, "-r", 1, "--json"))["results"]
    assert 0 < rows[0]["rescored_rows"] <= rows[0]["rescored_rows_most"] <= V + 15


def test_a_head_that_cannot_be_screened_is_said(tmp_path):
    model = models.quantised(61, {"*": "q8_0", "head": "q4_0"}, tied=False)
    path = checkpoint.write_gguf(tmp_path / "model.gguf", model)
    done = execute(QWENC, "compile", path, "-o", tmp_path / "app", *CONTEXT, "--screened-head", "on")
    assert done.returncode == 1
    assert "error: the head cannot be screened: no coarse copy gives the scores of format `q4g32`" in done.stderr
    done = execute(QWENC, "compile", path, "-o", tmp_path / "app", *CONTEXT, "--screened-head", "maybe")
    assert done.returncode == 1
    assert done.stderr == "qwenc: error: `--screened-head` is `maybe`; it is on, off or auto\n"
