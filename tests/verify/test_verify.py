# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/verify/test_verify.py
"""`qwenc verify`: every planted defect gets the right verdict, and nothing else gets one."""

import json
import pathlib
import re
import shutil
import struct
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))

import checkpoint
import models
from harness import BIN, F32, QWENC, compile_model, execute, succeed

SCREENED = ("--format", "q8g32", "--activations", "q8g32", "--screened-head", "on")
MUTANT = BIN / "qwenc-mutant"
GOOD = "verdict: the executable computes the model"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Every tiny model, by name."""
    root = tmp_path_factory.mktemp("models")
    for name, row in models.TINY.items():
        checkpoint.write_model(root / name, row)
    for name, row in models.GGUF.items():
        checkpoint.write_gguf(root / f"{name}.gguf", row)
    return root


def verdict(done):
    lines = [line for line in done.stdout.splitlines() if line.startswith("verdict: ")]
    assert len(lines) == 1, done.stdout + done.stderr
    assert (done.returncode == 0) == (lines[0] == GOOD), done.stdout
    return lines[0].removeprefix("verdict: ")


def verify(*arguments):
    done = execute(QWENC, "verify", *arguments)
    return verdict(done), done.stdout


def accept(*arguments):
    found, text = verify(*arguments)
    assert "verdict: " + found == GOOD, text


@pytest.mark.parametrize("options", [F32, (), ("--format", "q8g32")], ids=["f32", "stored", "q8g32"])
@pytest.mark.parametrize("name", models.TINY)
def test_no_false_alarm(name, options, folder):
    accept(folder / name, *options)


@pytest.mark.parametrize("format", ["q4g32", "q5g32"])
def test_no_false_alarm_with_few_bits(format, folder):
    accept(folder / "qwen2_tied", "--format", format)
    accept(folder / "qwen3_untied", "--format", format)


@pytest.mark.parametrize("name", models.GGUF)
def test_no_false_alarm_in_any_stored_type(name, folder):
    accept(folder / f"{name}.gguf")


# Mutation, where it is planted, a tiny model that it fits, what the verdict must say. Frontends are judged by the same
# checkpoint imported without the defect.
MUTATIONS = [
    ("no-q-bias", "qwen2_untied", r"frontend: `model.layers.0.self_attn.q_proj`"),
    ("no-k-bias", "qwen2_untied", r"frontend: `model.layers.0.self_attn.k_proj`"),
    ("no-v-bias", "qwen2_untied", r"frontend: `model.layers.0.self_attn.v_proj`"),
    ("theta", "qwen2_untied", r"frontend: `model.layers.0.self_attn.q_rope`"),
    ("theta", "qwen3_tied", r"frontend: `model.layers.0.self_attn.q_rope`"),
    ("eps", "qwen3_untied", r"frontend: `model.layers.0.input_layernorm`"),
    ("no-final-norm", "qwen2_tied", r"frontend: `lm_head`"),
    ("double-norm", "qwen2_untied", r"frontend: `model.norm`"),
    ("no-qk-norm", "qwen3_tied", r"frontend: `model.layers.0.self_attn.q_rope`"),
    ("norm-after-rope", "qwen3_tied", r"frontend: `model.layers.0.self_attn.q_rope`"),
    ("no-residual", "qwen2_untied", r"frontend: `model.layers.0.self_attn.residual`"),
    ("swap-gate", "qwen2_untied", r"frontend: `model.layers.0.mlp`"),
    ("scale", "qwen2_untied", r"frontend: `model.layers.0.self_attn.attention`"),
    ("swap-layers", "qwen2_untied", r"frontend: `model.layers.0.mlp.down_proj`"),
    ("swap-fused-gate", "qwen2_untied", r"pass fuse-swiglu"),
    ("no-fused-residual", "qwen3_tied", r"pass fuse-residual"),
    ("position", "qwen2_untied", r"frontend: `model.layers.0.self_attn.q_rope`"),
    ("wrong-head", "qwen3_untied", r"frontend: `lm_head`"),
    ("no-append", "qwen2_untied",
     r"frontend: `model.layers.0.self_attn.attention` reads position 11, which nothing has written"),
    ("no-barrier", "qwen2_untied", r"pass partition"),
    ("double-floor", "qwen2_untied", r"pass screen-head"),
    ("no-floor-barrier", "qwen2_untied", r"pass partition"),
    ("overlap", "qwen2_untied", r"pass plan-buffers"),
    ("stale", "qwen3_tied", r"pass plan-buffers"),
    ("next-position", "qwen2_tied", r"pass plan-buffers"),
    ("chunks-meet", "qwen3_tied", r"pass plan-buffers"),
    ("tiled-heads", "qwen3_tied", r"pass plan-buffers"),
    ("last-chunk", "qwen2_untied", r"pass plan-buffers"),
    ("other-cache", "qwen2_untied", r"pass plan-buffers"),
    ("one-key-head", "qwen3_tied", r"pass plan-buffers"),
]


@pytest.mark.parametrize("mutation, name, wanted", MUTATIONS, ids=[f"{m[0]}-{m[1]}" for m in MUTATIONS])
def test_mutation(mutation, name, wanted, folder):
    options = SCREENED if "floor" in mutation else ()
    done = execute(MUTANT, mutation, folder / name, "--reference", folder / name, *options)
    assert done.returncode != 2, done.stderr
    assert re.fullmatch(wanted, verdict(done)), done.stdout
    assert "FAILED" in done.stdout


def test_wrong_logits_are_no_near_ties(folder):
    done = execute(MUTANT, "tiled-heads", folder / "qwen3_tied")
    assert re.search(r"tokens +FAILED +\d of 12 greedy tokens agree, [01] near ties", done.stdout), done.stdout


def test_a_verdict_without_a_tap_is_followed_by_the_first_tap(folder):
    text = execute(MUTANT, "next-position", folder / "qwen3_tied", "--cache-type", "f16").stdout
    assert re.search(
        r"`model.layers.0.self_attn.q_rope` reads `rope_table` at byte \d+ of the weights; it is at \d+\n"
        r"first seen at\nmodel.layers.0.self_attn.q_rope: row 0, column 0: the executable has \S+, "
        r"its operator on the same inputs \S+; bound \S+\n"
        r"  op qwen.linear_rope, layer 0\n"
        r"  tensors model.layers.0.self_attn.q_proj.weight, model.layers.0.self_attn.q_norm.weight\n"
        r"  config \S+/config.json:\d+:\d+\n"
        r"  kernel qk_linear_rope__",
        text,
    ), text
    assert re.search(r"\n! layer 0 +\d+\.\d+ +model.layers.0.self_attn.q_rope ", text), text


def test_every_mutation_is_tested():
    listed = {line.split()[0] for line in succeed(MUTANT).splitlines()}
    assert listed == {m[0] for m in MUTATIONS}


def tensor_section(path):
    """(bytes of a weights file, where its tensors start)"""
    data = bytearray(path.read_bytes())
    return data, struct.unpack_from("<Q", data, 40)[0]


def packed_places(model, options):
    """{tensor: offset} of a build."""
    text = succeed(QWENC, "compile", model, *options, "--emit", "planned")
    return {m[1]: int(m[2]) for m in re.finditer(r'packed_weight "([^"]+)" at (\d+)', text)}


@pytest.mark.parametrize("damage", ["scale", "tile", "element"])
def test_damaged_weights(damage, folder, tmp_path):
    options = ("--format", "q8g32", "--context", 64)
    app = compile_model(folder / "qwen2_tied", tmp_path / "app", *options)
    accept(app.path)
    weights = tmp_path / "app.weights"
    data, start = tensor_section(weights)
    name = "model.layers.1.mlp.down_proj.weight"
    at = start + packed_places(folder / "qwen2_tied", options)[name]
    if damage == "scale":
        scales = at + 32 * 16  # behind the quants of the first block
        data[scales + 1] ^= 0x04  # one f16 becomes another
    elif damage == "element":
        data[at + 40] ^= 0x10
    else:
        tile = np.frombuffer(data[at : at + 256], np.uint8).reshape(16, 16).T.tobytes()
        data[at : at + 256] = tile
    weights.write_bytes(data)
    found, text = verify(app.path)
    assert found == f"weight encoding of `{name}`", text
    assert "row 0" in text if damage == "scale" else "row " in text


def test_a_screened_head(folder, tmp_path):
    """Judged with the bounds of its coarse copy; one that is too small is told."""
    model, options = folder / "qwen2_untied", (*SCREENED, "--context", 64)
    app = compile_model(model, tmp_path / "app", *options)
    found, text = verify(app.path)
    assert "verdict: " + found == GOOD and re.search(r"screen +ok +6 runs", text), text
    data, start = tensor_section(tmp_path / "app.weights")
    at = start + packed_places(model, options)["lm_head.weight"]
    rows, columns = models.TINY["qwen2_untied"]["config"]["vocab_size"], 128
    bounds = at + rows * columns * 17 // 16  # after high nibbles, scales and low nibbles
    (bound,) = struct.unpack_from("<H", data, bounds + 2 * 5)
    struct.pack_into("<H", data, bounds + 2 * 5, bound - 1)
    (tmp_path / "app.weights").write_bytes(data)
    found, text = verify(app.path)
    assert found == "weight encoding of `lm_head.weight`" and "row 5, column 0" in text, text
    assert "bound of 128 columns" in text


def damaged_copy(folder, tmp_path, change):
    """A copy of a model whose safetensors arrays `change` has changed."""
    row = models.TINY["qwen2_untied"]
    copy = tmp_path / "damaged"
    shutil.copytree(folder / "qwen2_untied", copy)
    arrays = checkpoint.model_arrays(row)
    change(arrays)
    checkpoint.write_safetensors(copy / "model.safetensors", arrays)
    return copy


def test_swapped_layers_of_a_checkpoint_are_told(folder, tmp_path):
    a, b = "model.layers.0.self_attn.o_proj.weight", "model.layers.1.self_attn.o_proj.weight"

    def swap(arrays):
        arrays[a], arrays[b] = arrays[b], arrays[a]

    damaged = damaged_copy(folder, tmp_path, swap)
    found, text = verify(damaged, "--reference", folder / "qwen2_untied")
    assert found.startswith(f"checkpoint: `{a}` differs") and b in text, text
    assert "model.layers.0.self_attn.residual" in text or "o_proj" in text
    accept(folder / "qwen2_untied", "--reference", folder / "qwen2_untied")


def test_one_wrong_row_of_a_checkpoint_is_told(folder, tmp_path):
    name = "model.layers.2.mlp.up_proj.weight"

    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][7] *= -1

    found, text = verify(damaged_copy(folder, tmp_path, change), "--reference", folder / "qwen2_untied")
    assert found.startswith(f"checkpoint: `{name}` differs") and "row 7" in text, text


def test_a_head_tied_to_the_wrong_tensor(folder, tmp_path):
    def tie(arrays):
        arrays["lm_head.weight"] = arrays["model.embed_tokens.weight"]

    found, text = verify(damaged_copy(folder, tmp_path, tie), "--reference", folder / "qwen2_untied")
    assert found.startswith("checkpoint: `lm_head.weight` differs"), text


# A kernel's C signature, by its name: buffers have nothing but `host`.
INT8, INT16 = ((*F32, "--cache-type", cache) for cache in ("int8", "int16"))
SIGNATURES = {
    "rms_norm": "buffer *x, buffer *w, int T, float eps, buffer *y",
    "attention": "buffer *q, buffer *keys, buffer *values, int T, int position, buffer *y",
    "int8 attention": "buffer *q, buffer *keys, buffer *slow, buffer *keys_scale, buffer *values, buffer *values_scale, "
    "int T, int position, buffer *y",
    "int16 attention": "buffer *q, buffer *keys, buffer *keys_scale, buffer *values, buffer *values_scale, int T, int position, "
    "buffer *y",
    "int8 value_append": "buffer *x, int T, int position, buffer *values, buffer *scales",
    "int16 value_append": "buffer *x, int T, int position, buffer *values, buffer *scales",
    "rope": "buffer *x, buffer *table, int T, buffer *y",
    "linear_rope_append": "buffer *x, buffer *w, buffer *b, buffer *table, int T, int position, buffer *y",
}
WRONG_TAIL = """
  int code = real_kernel(x, w, T, eps, y);
  for (int t = 0; t < T; ++t)
    ((float *)y->host)[t * K + K - 1] = 0;
  return code;
"""
MASK_OFF_BY_ONE = "  return real_kernel(q, keys, values, T, position + 1, y);\n"
MASK_OF_INT8 = "  return real_kernel(q, keys, slow, keys_scale, values, values_scale, T, position + 1, y);\n"
MASK_OF_INT16 = "  return real_kernel(q, keys, keys_scale, values, values_scale, T, position + 1, y);\n"
ONE_STEP_LESS_OF_INT16 = """
  int code = real_kernel(x, T, position, values, scales);
  for (int p = position; p < position + T; ++p)
    for (int c = 0; c < C; ++c)
      ((short *)values->host)[(p / 2 * C + c) * 2 + p % 2] -= 1;
  return code;
"""
ONE_STEP_LESS = """
  int code = real_kernel(x, T, position, values, scales);
  for (int p = position; p < position + T; ++p)
    for (int c = 0; c < C; ++c)
      values->host[(p / 4 * C + c) * 4 + p % 4] -= 1;
  return code;
"""
NO_SCALE = """
  for (int t = 0; t < T; ++t)
    for (int i = 0; i < R * C; ++i)
      ((float *)q->host)[t * H * C + i] *= 8; /* sqrt(C): a power of two, so that the queries come back whole */
  int code = real_kernel(q, keys, values, T, position, y);
  for (int t = 0; t < T; ++t)
    for (int i = 0; i < R * C; ++i)
      ((float *)q->host)[t * H * C + i] /= 8;
  return code;
"""
NEXT_POSITION = """
  buffer next = *table;
  next.host += C * sizeof(float);
  return real_kernel(x, &next, T, y);
"""
NOTHING = "  return 0;\n"
INTERLEAVED = """
  for (int t = 0; t < T; ++t)
    for (int h = 0; h < H; ++h)
      for (int i = 0; i < C / 2; ++i) {
        float c = ((float *)table->host)[t * C + i], s = ((float *)table->host)[t * C + C / 2 + i];
        float *in = (float *)x->host + (t * H + h) * C + 2 * i, *out = (float *)y->host + (t * H + h) * C + 2 * i;
        float low = in[0], high = in[1];
        out[0] = low * c - high * s;
        out[1] = high * c + low * s;
      }
  return 0;
"""
STALE_ROW = """
  int code = real_kernel(x, w, T, eps, y);
  float *row = (float *)y->host;
  if (T > 2)
    for (int k = 0; k < K; ++k)
      row[2 * K + k] = row[K + k];
  return code;
"""


@pytest.mark.parametrize(
    "kernel, body, options, tap",
    [
        ("rms_norm", WRONG_TAIL, F32, "model.layers.0.input_layernorm"),
        ("rms_norm", STALE_ROW, F32, "model.layers.0.input_layernorm"),
        ("attention", MASK_OFF_BY_ONE, F32, "model.layers.0.self_attn.attention"),
        ("attention", NO_SCALE, F32, "model.layers.0.self_attn.attention"),
        ("attention", MASK_OF_INT8, INT8, "model.layers.0.self_attn.attention"),
        ("value_append", ONE_STEP_LESS, INT8, "model.layers.0.self_attn.values"),
        ("attention", MASK_OF_INT16, INT16, "model.layers.0.self_attn.attention"),
        ("value_append", ONE_STEP_LESS_OF_INT16, INT16, "model.layers.0.self_attn.values"),
        ("linear_rope_append", NOTHING, F32, "model.layers.0.self_attn.keys"),
        ("rope", INTERLEAVED, (*F32, "--disable-pass", "fuse-rope"), "model.layers.0.self_attn.q_rope"),
        ("rope", NEXT_POSITION, (*F32, "--disable-pass", "fuse-rope"), "model.layers.0.self_attn.q_rope"),
    ],
    ids=[
        "wrong-tail", "stale-row", "mask", "no-scale", "mask-of-int8", "one-step-less",
        "mask-of-int16", "one-step-less-of-int16", "nothing-appended",
        "interleaved-rope", "next-position",
    ],  # fmt: skip
)
def test_a_wrong_kernel(kernel, body, options, tap, folder, tmp_path, monkeypatch):
    """The cached object of one kernel is wrapped in a defect; the verdict names kernel, point and tap."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = (*options, "--context", 64)
    accept(folder / "qwen2_tied", *options)
    objects = sorted((tmp_path / "cache").rglob(f"qk_{kernel}__*_t0__*.o"))
    assert objects
    cache = next((f"{name} " for name in ("int8", "int16") if name in options), "")
    parameters = SIGNATURES[cache + kernel]
    for i, path in enumerate(objects):
        symbol = path.name.removesuffix(".o")
        dims = dict(re.findall(r"(?<=_)([khrc])(\d+)", symbol))
        defines = "".join(f"#define {name.upper()} {value}\n" for name, value in dims.items())
        wrapper = tmp_path / f"wrapper{i}"
        wrapper.with_suffix(".c").write_text(
            "typedef struct { unsigned long device; void *interface; unsigned char *host; } buffer;\n"
            f"int real_{i}({parameters});\n{defines}"
            f"int {symbol}({parameters}) {{\n{body.replace('real_kernel', f'real_{i}')}}}\n"
        )
        succeed(shutil.which("clang-22") or "clang", "-O1", "-c", wrapper.with_suffix(".c"), "-o", wrapper.with_suffix(".o"))
        copy = shutil.which("llvm-objcopy-22") or "objcopy"
        succeed(copy, "--redefine-sym", f"{symbol}=real_{i}", path, tmp_path / f"real{i}.o")
        succeed("ld", "-r", tmp_path / f"real{i}.o", wrapper.with_suffix(".o"), "-o", path)
    (tmp_path / "out").mkdir()
    found, text = verify(folder / "qwen2_tied", *options)
    points = {path.name.removesuffix(".o").rsplit("__", 1)[1] for path in objects}
    assert found in {f"kernel {kernel} at point {point}, `{tap}`" for point in points}, text
    assert f"kernel qk_{kernel}__" in text and "op qwen." in text
    done = execute(QWENC, "compile", folder / "qwen2_tied", "-o", tmp_path / "out" / "app", "--check", *options)
    assert done.returncode == 1 and f"verdict: {found}" in done.stderr
    assert not list((tmp_path / "out").iterdir())


GOLDENS = pathlib.Path(__file__).parent / "goldens"  # made by tools/scripts/capture_reference


@pytest.mark.parametrize("name", ["qwen2_tied", "qwen3_untied"])
def test_transformers_is_the_reference(name, folder):
    accept(folder / name, *F32, "--reference", GOLDENS / f"{name}.safetensors")
    accept(folder / name, "--format", "q8g32", "--reference", GOLDENS / f"{name}.safetensors")


@pytest.mark.parametrize(
    "mutation, name, tap",
    [
        ("no-q-bias", "qwen2_tied", "model.layers.0.self_attn.q_proj"),
        ("theta", "qwen2_tied", "model.layers.0.self_attn.q_rope"),
        ("no-final-norm", "qwen2_tied", "lm_head"),
        ("no-qk-norm", "qwen3_untied", "model.layers.0.self_attn.q_rope"),
        ("swap-gate", "qwen3_untied", "model.layers.0.mlp"),
        ("no-residual", "qwen3_untied", "model.layers.0.self_attn.residual"),
        ("swap-layers", "qwen3_untied", "model.layers.0.mlp.down_proj"),
    ],
)
def test_a_wrong_frontend_is_told_by_transformers(mutation, name, tap, folder):
    done = execute(MUTANT, mutation, folder / name, "--reference", GOLDENS / f"{name}.safetensors")
    assert verdict(done) == f"frontend: `{tap}`", done.stdout


def test_a_reference_with_the_final_norm_applied_too_early(folder, tmp_path):
    data = bytearray((GOLDENS / "qwen2_tied.safetensors").read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header, start = json.loads(data[8 : 8 + length]), 8 + length
    last, norm = (slice(*(start + x for x in header[name]["data_offsets"])) for name in ("model.layers.1", "model.norm"))
    data[last] = data[norm]
    (tmp_path / "trap.safetensors").write_bytes(data)
    found, text = verify(folder / "qwen2_tied", "--reference", tmp_path / "trap.safetensors")
    assert found == "reference: `model.layers.1` is norm(`model.layers.1`)"
    assert "has the final norm applied here" in text


def test_an_executable_is_held_to_its_model(folder, tmp_path):
    app = compile_model(folder / "qwen3_tied", tmp_path / "app", "--context", 64)
    accept(app.path)
    accept(compile_model(folder / "qwen3_tied", tmp_path / "tapped", "--context", 64, "--taps").path)
    accept(compile_model(folder / "qwen3_tied", tmp_path / "whole", "--context", 64, "--embed-weights").path)


def test_an_executable_is_judged_with_its_own_kernels(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    schedule = tmp_path / "schedule.json"
    schedule.write_text('{"points": [{"kernel": "linear", "options": [], "dims": {}, "point": {"tokens": 1, "panels": 1}}]}')
    app = compile_model(folder / "qwen3_tied", tmp_path / "app", "--context", 64, "--schedule", schedule)
    kernels = sorted(path.name for path in (tmp_path / "cache").rglob("qk_*.o"))
    assert any("_t0__" in name and "_p1x1x1" in name for name in kernels)  # of many tokens no default has that
    accept(app.path)
    assert sorted(path.name for path in (tmp_path / "cache").rglob("qk_*.o")) == kernels


@pytest.mark.parametrize("embed", [(), ("--embed-weights",)], ids=["beside", "embedded"])
def test_a_compile_with_check_tells_its_result(embed, folder, tmp_path):
    model = folder / "qwen2_tied"
    plain = compile_model(model, tmp_path / "plain", "--context", 64)
    app = compile_model(model, tmp_path / "app", "--context", 64, "--check", *embed)
    check = json.loads(succeed(app.path, "info", "--json"))["description"]["check"]
    assert check["verdict"] in GOOD and len(check["ids"]) == 4 and "f64" in check["reference"]
    assert "of its bound" in check["kernels"] and "of its bound" in check["growth"]
    assert "4 of 4 greedy tokens agree" in check["tokens"]
    lines = succeed(app.path, "info").splitlines()
    assert f"description.check.tokens: {check['tokens']}" in lines
    assert "description.check.ids: " + json.dumps(check["ids"], separators=(",", ":")) in lines
    assert "check" not in json.loads(succeed(plain.path, "info", "--json"))["description"]
    assert app.greedy([1, 2, 3], 8) == plain.greedy([1, 2, 3], 8)
    done = execute(QWENC, "compile", model, "--emit", "graph", "--check", "-o", tmp_path / "x")
    assert done.stderr == "qwenc: error: `--check` runs the executable, and `--emit=graph` makes none\n"
    assert done.returncode == 1 and not (tmp_path / "x").exists()


def test_bisect_determinism_and_report(folder, tmp_path):
    page = tmp_path / "report.html"
    (tmp_path / "ids").write_text("5 6 7 8 9\n")
    found, text = verify(
        folder / "qwen2_tied", "--bisect", "--deterministic", "--ids", tmp_path / "ids", "--report", page
    )
    assert "verdict: " + found == GOOD and "5 tokens" in text
    assert re.search(r"bits +ok +\d\d+ runs without taps, by threads and chunks, with and without drafted tokens", text)
    assert "<table>" in page.read_text() and "model.layers.1.mlp" in page.read_text()


def test_refusals(folder, tmp_path):
    (tmp_path / "ids").write_text("5 x\n")
    (tmp_path / "not.safetensors").write_bytes(b"\xff" * 40)
    for arguments, message in [
        (["--ids", tmp_path / "ids"], f"`{tmp_path}/ids` holds something that is no token id"),
        (["--ids", tmp_path / "none"], f"cannot read `{tmp_path}/none`: No such file or directory"),
        (["--reference", tmp_path / "not.safetensors"],
         f"`{tmp_path}/not.safetensors` is no safetensors file: its header does not fit"),
    ]:
        done = execute(QWENC, "verify", folder / "qwen2_tied", *arguments)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"qwenc: error: {message}"), done.stderr
