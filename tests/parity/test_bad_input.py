# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_bad_input.py
"""What the programs say to damaged models, wrong flags, full disks and old processors; and that nothing is left behind.

tests/errors holds one input for every diagnostic; here are the whole programs, with exit codes and files.
"""

import json
import os
import resource
import shutil
import struct
import subprocess

import numpy as np
import pytest

import checkpoint
import models
from harness import F32, QWENC, compile_model, execute, succeed, write_ids

QWEN2 = models.TINY["qwen2_tied"]


def refused(folder, expected, *command, code=1, **options):
    """The command must fail with exactly this text and leave no file behind."""
    before = sorted(folder.rglob("*"))
    done = execute(*command, **options)
    assert done.stderr == expected
    assert (done.returncode, done.stdout) == (code, "")
    assert sorted(folder.rglob("*")) == before


@pytest.fixture
def model(tmp_path):
    return checkpoint.write_model(tmp_path / "model", QWEN2)


def compile_refused(model, expected, *options):
    refused(model.parent, expected, QWENC, "compile", model, "-o", model.parent / "app", *options)


def edit_config(model, **changes):
    config = QWEN2["config"] | changes
    (model / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return model / "config.json"


def line_of(path, key):
    text = path.read_text()
    at = text.index(f'"{key}":')
    value = at + len(key) + 4
    return f"{path}:{text.count(chr(10), 0, at) + 1}:{value - text.rfind(chr(10), 0, at)}"


def test_truncated_json(model):
    path = model / "config.json"
    path.write_text(path.read_text()[:100])
    lines = path.read_text().split("\n")
    compile_refused(model, f"{path}:{len(lines)}:{len(lines[-1]) + 1}: error: broken JSON: the text ends too early\n")


def test_broken_json(model):
    path = model / "config.json"
    path.write_text('{\n "hidden_size" 64}\n')
    compile_refused(model, f"{path}:2:16: error: broken JSON: unexpected `64`\n")


def test_heads_that_do_not_divide(model):
    path = edit_config(model, num_attention_heads=14, num_key_value_heads=4, hidden_size=448)
    expected = f"{line_of(path, 'num_key_value_heads')}: error: `num_key_value_heads` is 4, which does not divide "
    expected += f"`num_attention_heads` (14)\n{line_of(path, 'num_attention_heads')}: note: `num_attention_heads` given here\n"
    compile_refused(model, expected)


def test_sizes_that_overflow(model):
    path = edit_config(model, hidden_size=2**62)
    done = execute(QWENC, "compile", model, "-o", model.parent / "app")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{line_of(path, 'hidden_size')}: error: `hidden_size` is {2**62}; it must be from 1 to ")


def test_unknown_key(model):
    path = edit_config(model, mystery_scale=2)
    text = path.read_text()
    line = text.count("\n", 0, text.index("mystery_scale")) + 1
    expected = f"{path}:{line}:3: error: unknown key `mystery_scale` may change the model's numbers; "
    compile_refused(model, expected + "`--ignore-key mystery_scale` reads the file as if it were absent\n")
    app = compile_model(model, model.parent / "app", *F32, "--context", 64, "--ignore-key", "mystery_scale")
    assert app.path.exists()


class Tensors:
    """The model's safetensors, rewritten with a change."""

    def __init__(self, model):
        self.path = model / "model.safetensors"
        self.arrays = checkpoint.model_arrays(QWEN2)

    def write(self):
        checkpoint.write_safetensors(self.path, self.arrays)
        return self.path


def test_missing_tensor(model):
    tensors = Tensors(model)
    del tensors.arrays["model.layers.1.mlp.up_proj.weight"]
    path = tensors.write()
    compile_refused(
        model, f"{path}: error: tensor `model.layers.1.mlp.up_proj.weight` is missing; the config asks for [96, 64]\n"
    )


def test_extra_tensor(model):
    tensors = Tensors(model)
    tensors.arrays["model.layers.2.mlp.up_proj.weight"] = tensors.arrays["model.layers.1.mlp.up_proj.weight"]
    path = tensors.write()
    compile_refused(
        model, f"{path}: error: tensor `model.layers.2.mlp.up_proj.weight` (bf16 [96, 64]) is not part of the model\n"
    )


def test_wrong_shape(model):
    tensors = Tensors(model)
    name = "model.layers.0.self_attn.k_proj.weight"
    tensors.arrays[name] = tensors.arrays[name][:, :-1].copy()
    path = tensors.write()
    compile_refused(model, f"{path}: error: `{name}` is bf16 [32, 63]; the config asks for [32, 64]\n")


def test_wrong_dtype(model):
    path = model / "model.safetensors"
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = data[8 : 8 + size].replace(b'"BF16"', b'"F8_X"', 1)
    path.write_bytes(data[:8] + header + data[8 + size :])
    compile_refused(
        model, f"{path}: error: tensor `model.embed_tokens.weight` is F8_X; supported: F32, F16, BF16\n"
    )


def test_truncated_safetensors(model):
    path = model / "model.safetensors"
    data = path.read_bytes()
    os.truncate(path, len(data) - 2)
    section = len(data) - 8 - struct.unpack("<Q", data[:8])[0]
    compile_refused(
        model,
        f"{path}: error: tensor `model.norm.weight` lies at bytes {section - 128} to {section} of the tensor section, "
        f"which has {section - 2}; the file may be cut short\n",
    )
    os.truncate(path, 5)
    compile_refused(model, f"{path}: error: the file has 5 bytes; a header takes at least 8\n")


def test_weights_that_are_not_finite(model):
    tensors = Tensors(model)
    name = "model.layers.1.mlp.down_proj.weight"
    tensors.arrays[name] = tensors.arrays[name].copy()
    tensors.arrays[name][3, 5] = 0x7FC0
    path = tensors.write()
    done = execute(QWENC, "compile", model, "-o", model.parent / "app", "--context", 64)
    assert done.returncode == 1
    assert name in done.stderr and "error: " in done.stderr
    assert not [p for p in model.parent.iterdir() if p.name != "model"], path


def test_missing_shard(tmp_path):
    model = checkpoint.write_model(tmp_path / "model", models.TINY["qwen3_tied"])
    path = model / "model-00002-of-00003.safetensors"
    path.unlink()
    compile_refused(model, f"{path}: error: there is no such file\n")


def test_truncated_gguf(tmp_path):
    path = checkpoint.write_gguf(tmp_path / "m.gguf", models.GGUF["q8_0"])
    data = path.read_bytes()
    path.write_bytes(data[:10])
    compile_refused(path, f"{path}: error: the file ends inside `tensors` at byte 8 of 10\n")
    path.write_bytes(data[: len(data) // 2])
    done = execute(QWENC, "compile", path, "-o", tmp_path / "app")
    assert done.returncode == 1 and "of the tensor section, which has" in done.stderr
    path.write_bytes(b"GGUX" + data[4:])
    compile_refused(path, f"{path}: error: the file starts with `GGUX`; a GGUF starts with `GGUF`\n")


def test_no_such_model(tmp_path):
    path = tmp_path / "nothing"
    compile_refused(path, f"{path}: error: there is no such file or directory, and a hub name has the form `org/name`\n")


def test_a_shape_without_a_kernel(tmp_path):
    odd = models.quantised(61, {"*": "f32"}, D=70, H=5, G=5, C=14)
    model = checkpoint.write_model(tmp_path / "model", odd)
    done = execute(QWENC, "compile", model, "-o", tmp_path / "app", *F32)
    assert (done.returncode, done.stdout) == (1, "")
    place = line_of(model / "config.json", "rms_norm_eps")
    assert done.stderr == (
        f"{place}: error: no kernel for `qwen.rms_norm` (model.layers.0.input_layernorm): dim `k` of kernel `rms_norm` "
        "is 70, not a multiple of 16\n"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_unknown_flag(model):
    done = execute(QWENC, "compile", model, "-o", model.parent / "app", "--fromat", "f32")
    assert done.returncode == 1 and done.stdout == ""
    assert "--fromat" in done.stderr and "error" in done.stderr


@pytest.mark.parametrize(
    "options",
    [("--format", "q3"), ("--activations", "f8"), ("--target", "z80"), ("--context", "0"), ("--context", "100000")],
    ids=lambda options: options[1],
)
def test_values_that_do_not_exist(model, options):
    """Refused before anything is built, naming the value."""
    done = execute(QWENC, "compile", model, "-o", model.parent / "app", *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert options[1] in done.stderr and "error: " in done.stderr
    assert [p.name for p in model.parent.iterdir()] == ["model"]


# The compiled program.


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    return compile_model(checkpoint.write_model(folder / "model", QWEN2), folder / "app", *F32, "--context", 64)


def test_prompt_longer_than_the_context(app, tmp_path):
    ids = write_ids(tmp_path / "ids", range(65))
    expected = "app: error: 65 tokens do not fit the context of 64\n"
    refused(tmp_path, expected, app.path, "logits", "--ids", ids, "-o", tmp_path / "out.npy")
    refused(tmp_path, expected, app.path, "run", "--ids", ids, "--output-ids")


def test_bad_ids(app, tmp_path):
    path = tmp_path / "ids"
    path.write_text("1 2\n3 384\n")
    refused(tmp_path, f"{path}:2:3: error: token id 384 is not in 0 to 383\n", app.path, "run", "--ids", path, "--output-ids")
    path.write_text("1 x\n")
    refused(tmp_path, f"{path}:1:3: error: `x` is not a token id\n", app.path, "run", "--ids", path, "--output-ids")


def test_weights_of_another_model(app, tmp_path):
    other = checkpoint.write_model(tmp_path / "other", models.TINY["qwen3_tied"])
    other = compile_model(other, tmp_path / "qwen3", *F32, "--context", 64)
    weights = tmp_path / "qwen3.weights"
    ids = write_ids(tmp_path / "ids", [1, 2])
    done = execute(app.path, "run", "--ids", ids, "--output-ids", "--weights", weights)
    prints = [json.loads(succeed(a.path, "info", "--json"))["fingerprint"] for a in (other, app)]
    assert prints[0] != prints[1]
    assert done.stderr == (
        f"{weights}: error: the weights are of another model or build: fingerprint {prints[0]}; "
        f"this executable needs {prints[1]}\n"
    )
    assert (done.returncode, done.stdout) == (1, "")


def test_damaged_weights(app, tmp_path):
    weights = tmp_path / "w"
    data = (app.path.with_name("app.weights")).read_bytes()
    ids = write_ids(tmp_path / "ids", [1, 2])
    command = (app.path, "run", "--ids", ids, "--output-ids", "--weights", weights)
    weights.write_bytes(data[:-4096])
    expected = f"{weights}: error: the weights have {len(data) - 4096} bytes; their header says {len(data)}\n"
    refused(tmp_path, expected, *command)
    weights.write_bytes(b"x" * 8192)
    refused(tmp_path, f"{weights}: error: not a weights file: it does not start with `QWENWTS1`\n", *command)
    weights.unlink()
    refused(tmp_path, f"{weights}: error: cannot open the weights: No such file or directory\n", *command)


# Full disks.


def limited(megabytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes << 20, megabytes << 20))


def test_no_space_for_the_executable(tmp_path):
    """A limit on the size of a file stands for a full disk: both make a write fail part way."""
    big = models.quantised(60, {"*": "f32"}, tied=False, D=512, F=512, L=2)
    model = checkpoint.write_model(tmp_path / "model", big)
    before = sorted(tmp_path.rglob("*"))
    for options in ((), ("--embed-weights",)):
        done = subprocess.run(
            [str(QWENC), "compile", str(model), "-o", str(tmp_path / "app"), *F32, "--context", "64", *options],
            capture_output=True,
            text=True,
            timeout=300,
            preexec_fn=limited(6),
        )
        assert done.returncode == 1, done.stderr
        assert "error: " in done.stderr and "internal" not in done.stderr
        assert sorted(tmp_path.rglob("*")) == before


def test_no_space_for_the_logits(app, tmp_path):
    ids = write_ids(tmp_path / "ids", [1] * 60)
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))  # noqa: E731
    out = tmp_path / "out.npy"
    done = subprocess.run(
        [str(app.path), "logits", "--ids", str(ids), "-o", str(out)], capture_output=True, text=True, preexec_fn=small
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{out}: error: ") and "File too large" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ids"]


def test_full_standard_output(app, tmp_path):
    ids = write_ids(tmp_path / "ids", [1, 2])
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(app.path), "run", "--ids", str(ids), "--output-ids", "-n", "4"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


# Processors.


def qemu():
    return shutil.which("qemu-x86_64") or pytest.skip("qemu-x86_64 is not installed")


@pytest.mark.parametrize("target, cpu, lacks", [("avx512", "Haswell", "avx512f"), ("avxvnni", "Haswell", "avxvnni"), ("avx2", "Westmere", "avx2")])
def test_a_processor_that_lacks_features(model, tmp_path, target, cpu, lacks):
    app = compile_model(model, tmp_path / "app", *F32, "--context", 64, "--target", target)
    ids = write_ids(tmp_path / "ids", [1, 2])
    done = execute(qemu(), "-cpu", cpu, app.path, "run", "--ids", ids, "--output-ids", "-n", 2)
    assert (done.returncode, done.stdout) == (1, "")
    line = done.stderr.splitlines()[-1]
    assert line.startswith("app: error: ") and lacks in line and target in line


def test_a_cache_type_that_there_is_not(model):
    for name in ("int4", "q8", "INT8", "bf16"):
        compile_refused(model, f"qwenc: error: `--cache-type` is `{name}`; it is f32, f16, int16 or int8\n", "--cache-type", name)


@pytest.mark.parametrize(
    "options",
    [F32, (), ("--cache-type", "f16"), ("--cache-type", "int8")],
    ids=["f32", "int8", "f16-cache", "int8-cache"],
)
@pytest.mark.parametrize("target, cpu", [("x86_64", "Nehalem"), ("avx2", "Haswell")])
def test_an_old_processor_runs_what_is_built_for_it(model, tmp_path, target, cpu, options):
    """Neither emulated processor has AVX-512; an instruction that it lacks would end the executable."""
    app = compile_model(model, tmp_path / "app", *options, "--context", 64, "--target", target)
    ids = np.array([5, 300, 2, 77])
    path, out = write_ids(tmp_path / "ids", ids), tmp_path / "out.npy"
    logits = app.logits(ids)
    succeed(qemu(), "-cpu", cpu, app.path, "logits", "--ids", path, "-o", out, "--threads", 2)
    assert np.array_equal(np.load(out).view(np.uint32), logits.view(np.uint32))
    greedy = succeed(qemu(), "-cpu", cpu, app.path, "run", "--ids", path, "--output-ids", "-n", 8, "--threads", 2)
    assert greedy == succeed(app.path, "run", "--ids", path, "--output-ids", "-n", 8)
