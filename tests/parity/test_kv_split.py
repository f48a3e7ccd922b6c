# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_kv_split.py
"""Attention of one token by spans of the context: the same bits as in one piece, and as in prefill, for any team."""

import json

import pytest

import checkpoint
import models
from harness import QWENC, compile_model, execute, same_bits, succeed
from test_taps import taps

CONTEXT = ("--context", 1100)  # three spans, the last one short
WHOLE = ("--disable-pass", "split-attention")
V = 384
LONG = {"positions": 2048, "tied": True, "F": 96}
MODELS = {
    "one_kv_head": {"seed": 70, "types": {"*": "f32"}, "config": models.qwen("qwen2", D=64, L=2, H=2, G=1, C=32, **LONG)},
    "groups_of_7": {"seed": 71, "types": {"*": "f32"}, "config": models.qwen("qwen3", D=96, L=1, H=14, G=2, C=64, **LONG)},
}


@pytest.fixture(scope="module", params=[(name, cache) for name in MODELS for cache in ("f32", "f16", "int16", "int8")],
                ids=lambda row: "-".join(row))  # fmt: skip
def built(request, tmp_path_factory):
    """A model by spans, whole, and by spans with taps; its prompt."""
    name, cache = request.param
    folder = tmp_path_factory.mktemp("split")
    path = checkpoint.write_model(folder / "model", MODELS[name])
    options = ("--cache-type", cache, *CONTEXT)
    apps = [
        compile_model(path, folder / output, *options, *more)
        for output, more in [("split", ()), ("whole", WHOLE), ("tapped", ("--taps",)), ("tapped_whole", ("--taps", *WHOLE))]
    ]
    return *apps, checkpoint.prompt(MODELS[name]["seed"], V, 1100)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_tokens_are_those_of_the_whole_context(built, threads):
    split, whole, _, _, ids = built
    for start in (505, 1015):
        assert split.greedy(ids[:start], 20, "--threads", threads) == whole.greedy(ids[:start], 20, "--threads", 1)


def test_bits_are_those_of_prefill_at_every_edge(built):
    split, _, tapped, tapped_whole, ids = built
    logits = split.logits(ids)
    for count in (1, 512, 513, 700, 1024, 1025, 1100):
        decoded = [taps(app, ids[:count], "--decode") for app in (tapped, tapped_whole)]
        # Poisoned memory: what no span has written is read by none.
        assert same_bits(decoded[0]["lm_head"], logits[count - 1 : count])
        assert same_bits(decoded[0]["lm_head"], decoded[1]["lm_head"])
        names = [name.removesuffix(".spans") for name in decoded[0] if name.endswith(".spans")]
        assert names and set(decoded[0]) - set(decoded[1]) == {name + ".spans" for name in names}
        for name in names:
            assert same_bits(decoded[0][name], decoded[1][name])


@pytest.mark.parametrize("cache", ["f16", "int16", "int8"])
def test_verify_and_check_follow_it(cache, tmp_path):
    path = checkpoint.write_model(tmp_path / "model", MODELS["one_kv_head"])
    ids = " ".join(map(str, checkpoint.prompt(72, V, 100)))
    (tmp_path / "ids").write_text(ids)
    succeed(QWENC, "compile", path, "-o", tmp_path / "app", "--cache-type", cache, *CONTEXT, "--check")
    succeed(QWENC, "verify", tmp_path / "app", "--ids", tmp_path / "ids")


def test_choice_is_taken_up_and_a_bad_one_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = checkpoint.write_model(tmp_path / "model", MODELS["one_kv_head"])
    options = ("--activations", "f32", "--cache-type", "f16")
    scheduled = (QWENC, "compile", path, "--emit=scheduled", *options)
    assert "attention_span" in succeed(*scheduled, *CONTEXT)
    assert "attention_span" not in succeed(*scheduled, "--context", 512)
    assert "attention_span" not in succeed(*scheduled, *CONTEXT, *WHOLE)
    # Whatever a search leaves is where compiling looks.
    succeed(QWENC, "tune", path, *options, *CONTEXT, "--budget", "5s")
    (results,) = (tmp_path / "cache/qwenc/schedules").glob("*.json")
    row = {"model": "d64_f96_l2_h2_g1_c32_v384_stored_f32_f16", "kv_split": 1}
    results.write_text(json.dumps({"points": [], "models": [row]}))
    assert "attention_span" not in succeed(*scheduled, *CONTEXT)
    results.write_text(json.dumps({"points": [], "models": [row | {"kv_split": 2}]}))
    assert "attention_span" in succeed(*scheduled, *CONTEXT)
    results.write_text(json.dumps({"points": [], "models": [row | {"kv_split": 3}]}))
    done = execute(*scheduled, *CONTEXT)
    assert (done.returncode, done.stderr) == (1, f"{results}: error: models[0] sets `kv_split` to 3; it is 0 to 2\n")
