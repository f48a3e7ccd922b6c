# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_taps.py
"""`compile --taps`: results are kept and told, and the logits stay the same to the bit."""

import json
import struct

import numpy as np
import pytest

import checkpoint
import models
from harness import F32, QWENC, compile_model, execute, same_bits, succeed, write_ids

TYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I16": np.int16, "I8": np.int8}


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header.pop("__metadata__")
    return {
        name: np.frombuffer(body[slice(*row["data_offsets"])], TYPES[row["dtype"]]).reshape(row["shape"])
        for name, row in header.items()
    }


def taps(app, ids, *options):
    path = write_ids(app.path.parent / "taps.ids", ids)
    out = app.path.parent / "taps.safetensors"
    succeed(app.path, "taps", "--ids", path, "-o", out, "--poison", *options)
    return read_safetensors(out)


@pytest.fixture(scope="module", params=["qwen2_tied", "qwen3_untied"])
def model(request, tmp_path_factory):
    row = models.TINY[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint.write_model(folder / "model", row)
    return folder, checkpoint.prompt(row["seed"], row["config"]["vocab_size"], 20)


@pytest.mark.parametrize("options", [F32, ("--format", "q8g32"), ()], ids=["f32", "q8g32", "stored"])
def test_taps_change_no_bit(model, options, tmp_path):
    folder, ids = model
    plain = compile_model(folder / "model", tmp_path / "plain", *options, "--context", 64)
    tapped = compile_model(folder / "model", tmp_path / "tapped", *options, "--context", 64, "--taps")
    logits = plain.logits(ids)
    assert same_bits(tapped.logits(ids), logits)
    assert same_bits(taps(tapped, ids)["lm_head"], logits)
    assert tapped.greedy(ids, 20) == plain.greedy(ids, 20)
    assert (taps(tapped, ids)["argmax"][:, 0] == logits.argmax(axis=1)).all()
    done = execute(plain.path, "taps", "--ids", "x", "-o", "y")
    expected = "plain: error: this executable keeps no results of its operators; compile it with --taps\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_every_tap_is_what_the_interpreter_gives(model, tmp_path):
    folder, ids = model
    app = compile_model(folder / "model", tmp_path / "app", *F32, "--context", 64, "--taps")
    path = write_ids(tmp_path / "ids", ids)
    reference = tmp_path / "reference"
    succeed(QWENC, "interpret", folder / "model", "--ids", path, "--fused", "--taps", reference)
    for options in ((), ("--decode",), ("--threads", 3)):
        ours = taps(app, ids, *options)
        ours.pop("argmax")
        wanted = {p.name.removesuffix(".npy") for p in reference.iterdir()}
        assert set(ours) == {n for n in wanted if not n.endswith((".scores", ".softmax", "model.tail"))}
        for name, rows in ours.items():
            judge = np.load(reference / f"{name}.npy")
            judge = judge[-1:] if "--decode" in options else judge
            assert np.abs(rows - judge).max() <= 1e-4 * np.abs(judge).max(), name


@pytest.mark.parametrize(
    "cache, steps, before, loss", [("int8", 127, 0, 2e-2), ("int16", 8191, 1e-4, 4e-4)], ids=["int8", "int16"]
)
def test_a_cache_of_integers_holds_what_it_should(model, cache, steps, before, loss, tmp_path):
    """Its steps are those to the largest of a head; a row at another place would be another row. The reference does not round
    what multiplies words, which later layers' rows have `before` they are rounded."""
    folder, ids = model
    app = compile_model(folder / "model", tmp_path / "app", *F32, "--context", 64, "--taps", "--cache-type", cache)
    path = write_ids(tmp_path / "ids", ids)
    reference = tmp_path / "reference"
    succeed(QWENC, "interpret", folder / "model", "--ids", path, "--taps", reference, "--cache-type", cache)
    ours = taps(app, ids)
    names = [name for name in ours if name.endswith((".keys", ".values"))]
    assert names
    for name in names:
        judge = np.load(reference / f"{name}.npy")
        error = np.abs(ours[name] - judge).max()
        assert 0 < error <= (0.51 / steps + before) * np.abs(judge).max(), name
    for name in ("model.layers.0.self_attn.attention", "lm_head"):
        judge = np.load(reference / f"{name}.npy")
        assert np.abs(ours[name] - judge).max() <= loss * np.abs(judge).max(), name


def test_quantised_rows_and_their_sums(model, tmp_path):
    folder, ids = model
    app = compile_model(folder / "model", tmp_path / "app", "--format", "q8g32", "--context", 64, "--taps")
    ours = taps(app, ids)
    names = [n.removesuffix(".values") for n in ours if n.endswith(".quantized.values")]
    assert names
    for name in names:
        values, scales, sums = (ours[f"{name}.{part}"] for part in ("values", "scales", "sums"))
        groups = values.reshape(*scales.shape, 32)
        assert (values.astype(np.int16).reshape(*sums.shape, 16).sum(axis=2) == sums).all()
        rows = ours[name.removesuffix(".quantized")]
        assert np.abs(groups * scales[:, :, None] - rows.reshape(groups.shape)).max() <= 0.51 * scales.max()


def test_more_tokens_than_one_step_are_refused(model, tmp_path):
    folder, _ = model
    app = compile_model(folder / "model", tmp_path / "app", *F32, "--context", 64, "--prefill-chunk", 8, "--taps")
    path = write_ids(tmp_path / "ids", [1] * 9)
    done = execute(app.path, "taps", "--ids", path, "-o", tmp_path / "out")
    assert (done.returncode, done.stderr) == (1, "app: error: 9 tokens; the results of one step of at most 8 are kept\n")
