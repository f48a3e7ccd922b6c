# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_gguf.py
"""GGUF files of every stored type: f32 arithmetic on the stored values equals Hugging Face on gguf's dequantisation."""

import json

import pytest

import checkpoint
import models
from harness import GOLDENS, compile_model, golden, same_bits, worst


@pytest.fixture(params=list(models.GGUF))
def file(request, tmp_path):
    return request.param, checkpoint.write_gguf(tmp_path / f"{request.param}.gguf", models.GGUF[request.param])


def test_goldens_are_of_these_models():
    made = json.loads((GOLDENS / "gguf.json").read_text())["models"]
    assert {n: (m["seed"], m["tokens"]) for n, m in models.GGUF.items()} == {
        n: (m["seed"], m["tokens"]) for n, m in made.items()
    }


def test_stored_values_are_kept(file):
    name, path = file
    ids, reference = golden("gguf", name)
    app = compile_model(path, path.with_suffix(".app"), "--activations", "f32", "--context", 64)
    logits = app.logits(ids, "--threads", 1)
    assert worst(logits, reference) <= 1
    assert same_bits(app.logits(ids, "--threads", 2, "--chunk", 1), logits)


# The slow suite has the others.
FAST_WITH_QUANTISED_ACTIVATIONS = ("q4_0", "mixed_qwen2", "mixed_qwen3")


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(name, marks=() if name in FAST_WITH_QUANTISED_ACTIVATIONS else pytest.mark.slow)
        for name in models.GGUF
    ],
    indirect=True,
)
def test_quantised_activations_stay_near(file):
    """q8g32 activations: each product x·w of a row has x off by at most max|x| / 254 in its group of 32."""
    name, path = file
    ids, reference = golden("gguf", name)
    app = compile_model(path, path.with_suffix(".q8"), "--activations", "q8g32", "--context", 64)
    logits = app.logits(ids, "--threads", 1)
    assert same_bits(app.logits(ids, "--threads", 2, "--chunk", 1), logits)
    error = ((logits - reference) ** 2).mean() ** 0.5 / (reference**2).mean() ** 0.5
    # Uniform rounding of step max|x| / 127 has the error step / sqrt(12) a value; over 32 values max|x| is about 2.1 times
    # their root mean square, so a linear adds 2.1 / 127 / sqrt(12) = 0.5 % of its output. The model has at most 5 linears a
    # layer on a path and 11 in all; their errors add as squares, and softmax and SwiGLU at most double them.
    assert error <= 2 * 0.005 * 11**0.5
    assert not same_bits(logits, reference)
