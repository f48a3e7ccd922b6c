# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_tiny.py
"""Tiny qwen2 and qwen3 models in f32 equal Hugging Face at every position, and stay the same to the bit however they run."""

import json

import numpy as np
import pytest

import checkpoint
import models
from harness import F32, GOLDENS, QWENC, compile_model, golden, same_bits, succeed, worst, write_ids


class Case:
    def __init__(self, name, folder):
        self.name, self.model = name, models.TINY[name]
        self.folder = checkpoint.write_model(folder / name, self.model)
        self.ids, self.reference = golden("tiny", name)
        # The context is not a multiple of the cache's block of 64 positions.
        self.context = len(self.ids) + 9
        self.app = compile_model(self.folder, folder / f"{name}.app", *F32, "--context", self.context)
        self.logits = self.app.logits(self.ids, "--threads", 1)


@pytest.fixture(scope="module", params=list(models.TINY))
def case(request, tmp_path_factory):
    return Case(request.param, tmp_path_factory.mktemp("tiny"))


def test_goldens_are_of_these_models():
    made = json.loads((GOLDENS / "tiny.json").read_text())["models"]
    assert {n: (m["seed"], m["tokens"]) for n, m in models.TINY.items()} == {
        n: (m["seed"], m["tokens"]) for n, m in made.items()
    }
    # A reference that always says the same token could not tell right from wrong.
    assert all(m["distinct_argmax"] * 3 >= m["tokens"] for m in made.values())


def test_logits_equal_hugging_face(case):
    assert worst(case.logits, case.reference) <= 1


@pytest.mark.parametrize("stage", ["imported", "fused"])
def test_the_f64_interpreter_agrees(case, stage):
    """The graph's meaning, before and after fusion: nearer to Hugging Face than f32 has to be, and to our own logits."""
    out = case.folder / f"{stage}.npy"
    ids = write_ids(case.folder / "ids", case.ids)
    succeed(QWENC, "interpret", case.folder, "--ids", ids, "-o", out, *(["--fused"] if stage == "fused" else []))
    logits = np.load(out)
    assert worst(logits, case.reference) <= 0.5
    assert worst(case.logits, logits) <= 0.5


@pytest.mark.parametrize("chunk", [1, 5, 16])
def test_chunks_of_the_prompt_do_not_matter(case, chunk):
    assert same_bits(case.app.logits(case.ids, "--threads", 1, "--chunk", chunk), case.logits)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_matter(case, threads):
    assert same_bits(case.app.logits(case.ids, "--threads", threads), case.logits)
    assert same_bits(case.app.logits(case.ids, "--threads", threads, "--chunk", 7), case.logits)


def test_decoding_follows_the_logits(case):
    """Every prefix of the golden's ids: the token that `run` takes is the reference's, unless two are nearly equal."""
    for length in sorted({1, 2, len(case.ids) // 2, len(case.ids)}):
        row = case.reference[length - 1]
        second, first = np.argsort(row)[-2:]
        if row[first] - row[second] > 1e-3:
            assert case.app.greedy(case.ids[:length], 1) == [first]


def test_greedy_text_is_the_argmax_of_the_logits(case):
    start = list(case.ids[:4])
    made = case.app.greedy(start, 16, "--threads", 2)
    assert len(made) == 16
    logits = case.app.logits(start + made, "--chunk", 1)
    assert made == [int(i) for i in logits[3:-1].argmax(axis=1)]


@pytest.mark.parametrize("sampling", [(), ("--temperature", 0.8, "--top-k", 8, "--seed", 3), ("--repetition-penalty", 1.3)])
def test_drafts_change_no_token(case, sampling):
    """The prompt repeats itself, so that steps take drafted tokens along: most of them wrong, the model is random."""
    start = list(case.ids[:5]) * 3
    count = case.context - len(start)
    expected = case.app.generate(start, count, *sampling, "--prompt-lookup", "off")
    assert len(expected) == count
    for threads in (1, 3):
        made = case.app.generate(start, count, *sampling, "--prompt-lookup", "always", "--threads", threads)
        assert made == expected
