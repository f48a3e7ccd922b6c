# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_shapes.py
"""Shapes that no published model has: executables against the f64 interpreter, alike however they run."""

import numpy as np
import pytest

import checkpoint
import models
from harness import F32, QWENC, compile_model, same_bits, succeed, worst, write_ids

# Sides that are no multiple of a panel, a vocabulary of one token, heads wider than the model, a context of one.
SHAPES = [
    ("f32", 65, 65, models.qwen("qwen2", D=64, F=33, L=2, H=2, G=1, C=32, V=17, tied=False)),
    ("f16", 1, 1, models.qwen("qwen3", D=48, F=100, L=1, H=6, G=2, C=64, V=100, tied=True)),
    ("bf16", 130, 137, models.qwen("qwen3", D=112, F=1, L=2, H=3, G=3, C=96, V=391, tied=False)),
    ("bf16", 3, 4, models.qwen("qwen3", D=16, F=16, L=1, H=16, G=2, C=128, V=2, tied=True)),
    ("f32", 200, 201, models.qwen("qwen3", D=32, F=96, L=1, H=5, G=1, C=256, V=1, tied=True)),
    ("f32", 64, 64, models.qwen("qwen2", D=480, F=32, L=1, H=15, G=3, C=32, V=384, tied=True)),
]


@pytest.mark.parametrize("row", range(len(SHAPES)))
def test_shape(row, tmp_path):
    stored, tokens, context, config = SHAPES[row]
    model = {"seed": 200 + row, "types": {"*": stored}, "config": config}
    folder = checkpoint.write_model(tmp_path / "model", model)
    ids = checkpoint.prompt(model["seed"], config["vocab_size"], tokens)
    path, out = write_ids(tmp_path / "ids", ids), tmp_path / "reference.npy"
    succeed(QWENC, "interpret", folder, "--ids", path, "-o", out)
    app = compile_model(folder, tmp_path / "app", *F32, "--context", context)
    logits = app.logits(ids, "--threads", 1)
    assert worst(logits, np.load(out)) <= 1
    assert same_bits(app.logits(ids, "--threads", 2, "--chunk", 1), logits)
    assert same_bits(app.logits(ids, "--threads", 3, "--chunk", min(13, context)), logits)
