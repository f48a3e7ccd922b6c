# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_seed_case.py
"""Qwen2.5-0.5B with one layer and a context of ten: every stage equals Hugging Face's, and so do the executable's logits.

Shapes: D 896, F 4864, H 14, G 2, C 64, V 151936. The stages are taken from the graph by `qwenc interpret`, which computes
in f64; goldens/seed.npz holds HF's at positions 0 and 7, seed.json the shapes and sums of all positions.
"""

import json

import numpy as np
import pytest

import checkpoint
import models
from harness import BOUND, GOLDENS, QWENC, compile_model, same_bits, succeed, write_ids

RECORD = json.loads((GOLDENS / "seed.json").read_text())
POSITIONS = RECORD["positions"]
H, G, C = 14, 2, 64

# Where the graph names each stage.
BLOCK = "model.layers.0."
PLACES = {
    "embedding": "model.embed_tokens",
    "attention_norm": BLOCK + "input_layernorm",
    "query": BLOCK + "self_attn.q_proj",
    "key": BLOCK + "self_attn.k_proj",
    "value": BLOCK + "self_attn.v_proj",
    "rope_query": BLOCK + "self_attn.q_rope",
    "rope_key": BLOCK + "self_attn.k_rope",
    "scores": BLOCK + "self_attn.attention.scores",
    "softmax": BLOCK + "self_attn.attention.softmax",
    "attention": BLOCK + "self_attn.attention",
    "attention_output": BLOCK + "self_attn.o_proj",
    "attention_residual": BLOCK + "self_attn.residual",
    "ffn_norm": BLOCK + "post_attention_layernorm",
    "gate": BLOCK + "mlp.gate_proj",
    "up": BLOCK + "mlp.up_proj",
    "swiglu": BLOCK + "mlp",
    "down": BLOCK + "mlp.down_proj",
    "ffn_residual": "model.layers.0",
    "final_norm": "model.norm",
    "logits": "lm_head",
}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDENS / "seed.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return checkpoint.write_model(tmp_path_factory.mktemp("seed") / "model", models.SEED_CASE)


@pytest.fixture(scope="module")
def taps(model, golden):
    folder = model.parent / "taps"
    ids = write_ids(model.parent / "ids", golden["ids"])
    succeed(QWENC, "interpret", model, "--ids", ids, "--context", 10, "--taps", folder)
    return {stage: np.load(folder / f"{place}.npy") for stage, place in PLACES.items()}


def agree(stage, tap, golden):
    """HF's rows within the bound, and the sums over all positions, so that no other row is off either."""
    record = RECORD["taps"][stage]
    assert list(tap.shape) == [record["shape"][0], int(np.prod(record["shape"][1:]))]
    rows = tap[POSITIONS][:, :: RECORD["strides"].get(stage, 1)]
    expected = golden[stage].astype(np.float64)
    assert np.abs(rows - expected).max() <= BOUND * record["max_abs"]
    wide = tap.astype(np.float64)
    # Sums of all elements: each is off by at most the bound.
    assert abs(wide.sum() - record["sum"]) <= BOUND * record["max_abs"] * wide.size
    assert (wide**2).sum() == pytest.approx(record["sum_of_squares"], rel=4 * BOUND)


@pytest.mark.parametrize("stage", [s for s in PLACES if s not in ("scores", "softmax", "embedding")])
def test_stage_equals_hugging_face(stage, taps, golden):
    agree(stage, taps[stage], golden)


def test_embeddings_are_exact(taps, golden):
    assert np.array_equal(taps["embedding"][POSITIONS].astype(np.float32), golden["embedding"])


def test_position_zero_is_not_rotated(taps):
    assert np.array_equal(taps["rope_query"][0], taps["query"][0])
    assert np.array_equal(taps["rope_key"][0], taps["key"][0])
    assert not np.allclose(taps["rope_query"][7], taps["query"][7])


def test_each_key_value_head_serves_seven_consecutive_queries(taps, golden):
    """2 heads become 14 as 0 x 7, 1 x 7: in HF's own expansion, and in the scores and the sums that follow from it."""
    # The cache holds f32.
    keys, values = (taps[name].astype(np.float32).astype(np.float64).reshape(-1, G, C) for name in ("rope_key", "value"))
    for name, heads in (("repeated_key", keys), ("repeated_value", values)):
        expanded = np.repeat(heads, H // G, axis=1).reshape(len(heads), -1)
        agree(name, expanded, golden)
    queries = taps["rope_query"].reshape(-1, H, C)
    scores = np.einsum("thc,shc->ths", queries, np.repeat(keys, H // G, axis=1)) / C**0.5
    ours = taps["scores"].reshape(-1, H, scores.shape[2])
    for t in range(len(scores)):
        assert np.allclose(ours[t, :, : t + 1], scores[t, :, : t + 1], rtol=0, atol=1e-12 * np.abs(scores).max())
    weighted = np.einsum("ths,shc->thc", taps["softmax"].reshape(scores.shape), np.repeat(values, H // G, axis=1))
    assert np.allclose(taps["attention"], weighted.reshape(len(weighted), -1), rtol=0, atol=1e-12 * np.abs(weighted).max())


def test_scores_equal_hugging_face(taps, golden):
    """Below the diagonal; above it HF adds a mask, and we have nothing."""
    bound = BOUND * RECORD["taps"]["scores"]["max_abs"]
    ours = taps["scores"].reshape(-1, H, len(taps["scores"]))
    for row, t in enumerate(POSITIONS):
        expected = golden["scores"][row].reshape(H, -1)
        assert np.abs(ours[t, :, : t + 1] - expected[:, : t + 1]).max() <= bound


def test_softmax_rows_sum_to_one(taps, golden):
    ours = taps["softmax"].reshape(-1, H, len(taps["softmax"]))
    assert np.allclose(ours.sum(axis=2), 1, rtol=0, atol=1e-12)
    assert (ours >= 0).all()
    for t in range(len(ours)):
        assert (ours[t, :, t + 1 :] == 0).all()
    for row, t in enumerate(POSITIONS):
        assert np.abs(ours[t] - golden["softmax"][row].reshape(H, -1)).max() <= BOUND


def test_the_executables_logits(model, golden):
    app = compile_model(model, model.parent / "app", "--format", "bf16", "--activations", "f32", "--context", 10)
    logits = app.logits(golden["ids"], "--threads", 1)
    agree("logits", logits, golden)
    assert logits.argmax(axis=1).tolist() == RECORD["taps"]["logits"]["argmax"]
    assert same_bits(app.logits(golden["ids"], "--threads", 2, "--chunk", 1), logits)
    assert app.greedy(golden["ids"][:8], 1) == [RECORD["taps"]["logits"]["argmax"][7]]
