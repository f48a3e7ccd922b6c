# QWENC_BIN_DIR=build/bin QWENC_RANDOM_SPECS=50 build/venv/bin/python -m pytest tests/verify/test_random.py
"""Random legal models from seeds, compiled and compared, operator by operator, with the interpreter.

QWENC_RANDOM_FIRST, QWENC_RANDOM_SPECS and QWENC_RANDOM_WEIGHTS say where the seeds begin, how many models are made of
them and how many times the tiny models get other weights; a failure prints the line that repeats it.
"""

import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))

import checkpoint
import models
from harness import QWENC, execute, write_ids

FIRST = int(os.environ.get("QWENC_RANDOM_FIRST", 0))
COUNT = int(os.environ.get("QWENC_RANDOM_SPECS", 50))
WEIGHTS = int(os.environ.get("QWENC_RANDOM_WEIGHTS", 100))
OPTIONS = [("--format", "f32", "--activations", "f32"), (), ("--format", "q8g32")]


def random_model(seed):
    """(row of models.py, options of qwenc, number of tokens)"""
    draw = random.Random(seed)
    kind = draw.choice(["qwen2", "qwen3"])
    width, groups = draw.choice([32, 64, 128]), draw.choice([1, 1, 2, 3])
    heads = groups * draw.choice([1, 2, 3, 7])
    hidden = heads * width if kind == "qwen2" else 16 * draw.randint(1, 16)
    if kind == "qwen2" and hidden > 512:
        width, groups, heads, hidden = 32, 1, 3, 96
    config = models.qwen(
        kind, D=hidden, F=draw.choice([16 * draw.randint(1, 20), draw.randint(1, 200)]), L=draw.randint(1, 3), H=heads,
        G=groups, C=width, tied=draw.random() < 0.5, V=draw.randint(2, 500), positions=256,
        spelling=draw.choice([4, 5]), theta=draw.choice([1e4, 1e6, 5e6]), eps=draw.choice([1e-5, 1e-6]),
    )
    stored = draw.choice(["f32", "f16", "bf16"])
    options = ["--context", draw.choice([64, 65, 200]), "--prefill-chunk", draw.choice([16, 32, 128])]
    inner = [hidden, heads * width, config["intermediate_size"]]
    if all(k % 32 == 0 for k in inner) and draw.random() < 0.5:
        options += ["--format", draw.choice(["q8g32", "q5g32", "q4g32"])]
    options += ["--activations", draw.choice(["f32", "q8g32"])] + ["--cache-type", draw.choice(["f32", "f16", "int16", "int8"])]
    for fusion in ("fuse-rope", "fuse-swiglu", "fuse-residual"):
        if draw.random() < 0.2:
            options += ["--disable-pass", fusion]
    return {"seed": 1000 + seed, "types": {"*": stored}, "config": config}, options, draw.randint(1, 16)


def accept(seed, row, options, tokens, tmp_path, test, count):
    folder = checkpoint.write_model(tmp_path / "model", row)
    ids = write_ids(tmp_path / "ids", checkpoint.prompt(seed, row["config"]["vocab_size"], tokens))
    done = execute(QWENC, "verify", folder, "--ids", ids, *options)
    again = f"QWENC_RANDOM_FIRST={seed} {count}=1 python -m pytest tests/verify/test_random.py -k {test}"
    assert done.returncode == 0, f"{again}\n{options}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_random_model(seed, tmp_path):
    accept(seed, *random_model(seed), tmp_path, "test_random_model", "QWENC_RANDOM_SPECS")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT // 5))
def test_random_screened_head(seed, tmp_path):
    row, _, tokens = random_model(seed)
    draw = random.Random(500_000 + seed)
    width, groups = draw.choice([32, 64]), draw.choice([1, 2])
    row["config"] = models.qwen(
        "qwen3", D=128 * draw.randint(1, 3), F=32 * draw.randint(1, 6), L=1, H=2 * groups, G=groups, C=width,
        tied=draw.random() < 0.5, V=draw.randint(2, 900), positions=256,
    )  # fmt: skip
    options = ["--context", 128, "--format", "q8g32", "--screened-head", "on"]
    accept(seed, row, options, tokens, tmp_path, "test_random_screened_head", "QWENC_RANDOM_SPECS")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + WEIGHTS))
def test_random_weights(seed, tmp_path):
    """No false alarm, whatever the weights and the prompt of a tiny model."""
    names = list(models.TINY)
    row = models.TINY[names[seed % len(names)]] | {"seed": 100_000 + seed}
    options = OPTIONS[seed // len(names) % len(OPTIONS)]
    accept(seed, row, options, 1 + seed % 24, tmp_path, "test_random_weights", "QWENC_RANDOM_WEIGHTS")
