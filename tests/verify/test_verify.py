# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/verify/test_verify.py
"""`qwenc verify`: every planted defect gets the right verdict, and nothing else gets one."""

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
    ("position", "qwen2_untied", r"pass split-steps|frontend: `model.layers.0.self_attn.q_rope`"),
    ("no-append", "qwen2_untied", r"frontend: the graph has no meaning"),
    ("no-barrier", "qwen2_untied", r"pass partition"),
    ("overlap", "qwen2_untied", r"pass plan-buffers"),
    ("stale", "qwen3_tied", r"pass plan-buffers"),
    ("last-chunk", "qwen2_untied", r"pass plan-buffers"),
    ("other-cache", "qwen2_untied", r"pass plan-buffers"),
]


@pytest.mark.parametrize("mutation, name, wanted", MUTATIONS, ids=[f"{m[0]}-{m[1]}" for m in MUTATIONS])
def test_mutation(mutation, name, wanted, folder):
    done = execute(MUTANT, mutation, folder / name, "--reference", folder / name)
    assert done.returncode != 2, done.stderr
    assert re.fullmatch(wanted, verdict(done)), done.stdout
    assert "FAILED" in done.stdout


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
    rows, columns = 64, 96
    if damage == "scale":
        scales = at + rows * columns
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


def test_a_kernel_with_a_wrong_tail(folder, tmp_path, monkeypatch):
    """The cached object of one kernel leaves its last column as it was; the verdict names kernel and point."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = (*F32, "--context", 64)
    compile_model(folder / "qwen2_tied", tmp_path / "app", *options)
    objects = sorted((tmp_path / "cache").rglob("qk_rms_norm__*_t0__*.o"))
    assert objects
    symbol = objects[0].name.removesuffix(".o")
    source = tmp_path / "wrapper.c"
    width = int(re.search(r"_k(\d+)", symbol)[1])
    source.write_text(f"""
typedef struct {{ unsigned long device; void *interface; unsigned char *host; }} buffer;
int real_kernel(buffer *x, buffer *w, int tokens, float eps, buffer *y);
int {symbol}(buffer *x, buffer *w, int tokens, float eps, buffer *y) {{
  int code = real_kernel(x, w, tokens, eps, y);
  for (int t = 0; t < tokens; ++t)
    ((float *)y->host)[t * {width} + {width - 1}] = 0;
  return code;
}}
""")
    clang = shutil.which("clang-22") or "clang"
    succeed(clang, "-O1", "-c", source, "-o", tmp_path / "wrapper.o")
    objcopy = shutil.which("llvm-objcopy-22") or "objcopy"
    succeed(objcopy, "--redefine-sym", f"{symbol}=real_kernel", objects[0], tmp_path / "real.o")
    succeed("ld", "-r", tmp_path / "real.o", tmp_path / "wrapper.o", "-o", tmp_path / "both.o")
    shutil.copy(tmp_path / "both.o", objects[0])
    done = execute(QWENC, "verify", folder / "qwen2_tied", *options)
    point = symbol.rsplit("__", 1)[1]
    assert verdict(done) == f"kernel rms_norm at point {point}, `model.layers.0.input_layernorm`", done.stdout
    assert f"column {width - 1}" in done.stdout and f"kernel {symbol}" in done.stdout


def test_an_executable_is_held_to_its_model(folder, tmp_path):
    app = compile_model(folder / "qwen3_tied", tmp_path / "app", "--context", 64)
    accept(app.path)
    accept(compile_model(folder / "qwen3_tied", tmp_path / "tapped", "--context", 64, "--taps").path)
    accept(compile_model(folder / "qwen3_tied", tmp_path / "whole", "--context", 64, "--embed-weights").path)


def test_bisect_determinism_and_report(folder, tmp_path):
    page = tmp_path / "report.html"
    (tmp_path / "ids").write_text("5 6 7 8 9\n")
    found, text = verify(
        folder / "qwen2_tied", "--bisect", "--deterministic", "--ids", tmp_path / "ids", "--report", page
    )
    assert "verdict: " + found == GOOD and "5 tokens" in text
    assert re.search(r"bits +ok +\d\d+ runs", text)
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
