# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_builds.py
"""One model, many builds: formats, schedules, targets, fusion and packaging change what they say and no other bit."""

import json
import os
import shutil

import numpy as np
import pytest

import checkpoint
import models
from harness import BIN, F32, QWENC, ROOT, App, compile_model, divergence, execute, golden, same_bits, succeed, worst, write_ids

CONTEXT = ("--context", 80)


class Built:
    """A tiny model, compiled in f32."""

    def __init__(self, name, folder):
        self.name, self.root = name, folder
        self.folder = checkpoint.write_model(folder / name, models.TINY[name])
        self.ids, self.reference = golden("tiny", name)
        self.app = compile_model(self.folder, folder / f"{name}.app", *F32, *CONTEXT)
        self.logits = self.app.logits(self.ids)

    def other(self, label, *options):
        return compile_model(self.folder, self.root / f"{self.name}.{label}", *CONTEXT, *options)


@pytest.fixture(scope="module")
def qwen2(tmp_path_factory):
    return Built("qwen2_tied", tmp_path_factory.mktemp("qwen2"))


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory):
    return Built("qwen3_untied", tmp_path_factory.mktemp("qwen3"))


@pytest.fixture(params=["qwen2", "qwen3"])
def built(request):
    return request.getfixturevalue(request.param)


def test_half_the_bytes_the_same_bits(built):
    """Weights stored as bf16 lose nothing in bf16, and f32 arithmetic on equal values is equal."""
    app = built.other("bf16", "--format", "bf16", "--activations", "f32")
    assert same_bits(app.logits(built.ids), built.logits)


def test_f16_is_kept(tmp_path):
    model = models.TINY["qwen2_groups_of_7"]
    folder = checkpoint.write_model(tmp_path / "model", model)
    ids, _ = golden("tiny", "qwen2_groups_of_7")
    wide = compile_model(folder, tmp_path / "f32", *F32, *CONTEXT).logits(ids)
    half = compile_model(folder, tmp_path / "f16", "--format", "f16", "--activations", "f32", *CONTEXT).logits(ids)
    assert same_bits(half, wide)


def quantised(words):
    """bf16 words [N, K] -> f32: every 32 values rounded to 8 bits and an f16 scale, as codegen/formats/q8g32.cpp says."""
    values = checkpoint.from_bf16(words)
    groups = values.reshape(len(values), -1, 32)
    scale = (np.abs(groups).max(axis=2, keepdims=True) / np.float32(127)).astype(np.float16).astype(np.float32)
    quants = np.rint(np.clip(groups / np.where(scale == 0, np.float32(1), scale), -127, 127))
    return (quants * scale).reshape(values.shape).astype(np.float32)


def test_q8g32_is_what_it_says(built):
    """q8g32 weights with f32 activations: the bits of an f32 build of the same values, quantised here."""
    model = models.TINY[built.name]
    arrays = {n: quantised(a) if a.ndim == 2 else a for n, a in checkpoint.model_arrays(model).items()}
    folder = built.root / f"{built.name}.q8g32.model"
    folder.mkdir()
    shutil.copy(built.folder / "config.json", folder)
    checkpoint.write_safetensors(folder / "model.safetensors", arrays)
    values = compile_model(folder, built.root / f"{built.name}.values", *F32, *CONTEXT).logits(built.ids)
    packed = built.other("q8g32", "--format", "q8g32", "--activations", "f32").logits(built.ids)
    assert same_bits(packed, values)
    assert not same_bits(packed, built.logits)
    assert divergence(built.reference, packed) < 2e-3


@pytest.mark.parametrize("model", ["qwen2", pytest.param("qwen3", marks=pytest.mark.slow)])
def test_fewer_bits_are_further_away(model, request):
    """The packed values themselves are held to numpy's in the fixtures of the formats."""
    built = request.getfixturevalue(model)
    distances = []
    for format in ("q8g32", "q5g32", "q4g32"):
        app = built.other(format, "--format", format)
        logits = app.logits(built.ids, "--threads", 1)
        assert same_bits(app.logits(built.ids, "--threads", 3, "--chunk", 5), logits)
        distances.append(divergence(built.reference, logits))
    assert distances == sorted(distances) and distances[0] < distances[1] / 4 and distances[2] < 0.3, distances


def test_default_build_is_near_and_steady(built):
    app = built.other("default")
    logits = app.logits(built.ids, "--threads", 1)
    assert divergence(built.reference, logits) < 5e-3
    assert same_bits(app.logits(built.ids, "--threads", 3, "--chunk", 1), logits)


def schedule_file(path, pick):
    """A schedule that gives every knob of every kernel the value that `pick` takes from its list."""
    catalog = json.loads(succeed(BIN / "qwenc-kernel", "catalog"))
    points = [
        {"kernel": kernel["name"], "options": [], "dims": {}, "point": {k["name"]: pick(k["values"]) for k in kernel["knobs"]}}
        for kernel in catalog["kernels"]
        if kernel["knobs"]
    ]
    assert points
    path.write_text(json.dumps({"points": points}))
    return path


@pytest.mark.parametrize("activations", [pytest.param("f32", marks=pytest.mark.slow), "q8g32"])
def test_schedules_do_not_matter(qwen3, activations):
    options = ("--format", "q8g32", "--activations", activations)
    logits = qwen3.other(f"{activations}.plain", *options).logits(qwen3.ids)
    smallest = schedule_file(qwen3.root / "smallest.json", lambda values: values[0])
    middle = schedule_file(qwen3.root / "middle.json", lambda values: values[len(values) // 2])
    for path in (smallest, middle):
        app = qwen3.other(f"{activations}.{path.stem}", *options, "--schedule", path)
        assert same_bits(app.logits(qwen3.ids), logits), path.stem


def test_the_width_of_vectors_does_not_matter(qwen2):
    assert same_bits(qwen2.other("avx2", *F32, "--target", "avx2").logits(qwen2.ids), qwen2.logits)


def test_a_processor_without_fused_multiply_add(qwen2):
    """Products are rounded on their own there: other bits, equally near, and as steady."""
    app = qwen2.other("x86_64", *F32, "--target", "x86_64")
    logits = app.logits(qwen2.ids, "--threads", 1)
    assert worst(logits, qwen2.reference) <= 1
    assert same_bits(app.logits(qwen2.ids, "--threads", 2, "--chunk", 5), logits)


def test_one_executable_for_many_processors(qwen2):
    """It takes the best target that the processor has the features for, and all read the same weights file."""
    app = qwen2.other("many", *F32, "--target", "x86_64,avx512,avx2", "--check")
    assert "targets: avx512,avx2,x86_64\n" in succeed(app.path, "info")
    assert same_bits(app.logits(qwen2.ids), qwen2.logits)
    ids, out = write_ids(qwen2.root / "many.ids", qwen2.ids), qwen2.root / "many.npy"
    for cpu, target in (("Haswell", "avx2"), ("Nehalem", "x86_64")):
        emulated = ("qemu-x86_64", "-cpu", cpu, app.path)
        assert f"target: {target}\n" in succeed(*emulated, "info")
        succeed(*emulated, "logits", "--ids", ids, "-o", out, "--threads", 1)
        alone = qwen2.other(f"only.{target}", *F32, "--target", target)
        assert same_bits(np.load(out), alone.logits(qwen2.ids))
    done = execute("qemu-x86_64", "-cpu", "core2duo", app.path, "run", "--ids", ids, "--output-ids", "-n", 1)
    assert done.returncode == 1 and "this CPU lacks `sse4.1`" in done.stderr.splitlines()[-1]


def emulated_avx_vnni(app, folder):
    """The executable, which no longer asks for AVX-VNNI, and an environment in which a processor without it runs it."""
    asked = app.path.read_bytes()
    assert asked.count(b",f16c,avxvnni\0") == 1
    patched = folder / f"{app.path.name}.emulated"
    patched.write_bytes(asked.replace(b",f16c,avxvnni\0", b",f16c,,,,,,,,\0"))
    patched.chmod(0o755)
    library = folder / "emulate_avxvnni.so"
    source = ROOT / "tests/parity/emulate_avxvnni.cpp"
    succeed("clang++-22", "-std=c++20", "-shared", "-fPIC", "-O1", source, "-o", library)
    return App(patched), {**os.environ, "LD_PRELOAD": str(library)}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="int8"),
        pytest.param(("--format", "q5g32", "--cache-type", "int8"), id="q5g32-int8-cache", marks=pytest.mark.slow),
    ],
)
def test_dots_of_four_products_without_avx512(qwen2, options):
    """The bits of AVX2's sums of pairs, by instructions that are emulated where the processor has none of them."""
    label, ids = "-".join(options), qwen2.ids[:5]
    app = qwen2.other(f"avxvnni{label}", *options, "--target", "avxvnni")
    emulated, environment = emulated_avx_vnni(app, qwen2.root)
    path, out = write_ids(qwen2.root / "avxvnni.ids", ids), qwen2.root / "avxvnni.npy"
    expected = qwen2.other(f"pairs{label}", *options, "--target", "avx2").logits(ids)
    weights = f"{app.path}.weights"
    for chunk in (1, 4):
        succeed(emulated.path, "logits", "--weights", weights, "--ids", path, "-o", out, "--chunk", chunk, env=environment)
        assert same_bits(np.load(out), expected)


@pytest.mark.parametrize(
    "cache, least, most, size",
    [("int8", 1e-9, 1e-3, (0.5, 0.7)), ("int16", 1e-12, 1e-6, (1.0, 1.1))],
    ids=["int8", "int16"],
)
def test_a_cache_of_integers_is_near_and_steady(built, cache, least, most, size):
    """Rounding costs little, and whoever multiplies gets the same integers."""
    options = (*F32, "--cache-type", cache)
    app = built.other(cache, *options)
    logits = app.logits(built.ids, "--threads", 1)
    assert least < divergence(built.reference, logits) < most
    assert same_bits(app.logits(built.ids, "--threads", 3, "--chunk", 5), logits)
    assert same_bits(app.logits(built.ids, "--chunk", 1), logits)
    narrow = built.other(f"{cache}.avx2", *options, "--target", "avx2")
    ids, out = write_ids(built.root / f"{cache}.ids", built.ids), built.root / f"{cache}.npy"
    succeed("qemu-x86_64", "-cpu", "Haswell", narrow.path, "logits", "--ids", ids, "-o", out, "--threads", 1)
    assert same_bits(np.load(out), logits)
    half = built.other("f16", *F32, "--cache-type", "f16")
    sizes = [json.loads(succeed(one.path, "info", "--json"))["plan"]["cache_bytes"] for one in (app, half)]
    assert size[0] < sizes[0] / sizes[1] < size[1]


@pytest.mark.parametrize("targets, problem", [("avx2,avx2", "`avx2` twice"), ("avx2,nope", "targets are avx512, avx512vnni, avxvnni, avx2, x86_64")])
def test_lists_of_targets_that_make_no_sense(qwen2, targets, problem):
    done = execute(QWENC, "compile", qwen2.folder, "-o", qwen2.root / "none", "--target", targets)
    assert done.returncode == 1 and problem in done.stderr and not (qwen2.root / "none").exists()
    done = execute(QWENC, "compile", qwen2.folder, "--emit", "llvm", "--target", "avx2,x86_64")
    assert done.returncode == 1 and "only an executable takes more than one" in done.stderr


def test_fusion_does_not_matter(built):
    options = [f"--disable-pass={name}" for name in ("qwen-fuse-rope", "qwen-fuse-swiglu", "qwen-fuse-residual")]
    assert same_bits(built.other("unfused", *F32, *options).logits(built.ids), built.logits)


@pytest.mark.parametrize("chunk", [1, 5, 80])
def test_rows_that_nobody_reads_do_not_matter(built, chunk):
    """The last layer of the wanted rows alone is that of all rows, wherever a chunk ends and however many it wants."""
    every = built.other("every_row", *F32, "--disable-pass", "raise-tail")
    assert same_bits(built.app.logits(built.ids, "--chunk", chunk), every.logits(built.ids))
    for tokens in (1, 7, 40):
        ids = built.ids[:tokens]
        assert built.app.greedy(ids, 8, "--chunk", chunk) == every.greedy(ids, 8)


@pytest.mark.parametrize("name", list(models.LONG))
def test_long_prompts_equal_hugging_face(name, tmp_path):
    folder = checkpoint.write_model(tmp_path / "model", models.TINY[name])
    ids, reference = golden("long", name)
    app = compile_model(folder, tmp_path / "app", *F32, "--context", 250)
    logits = app.logits(ids, "--threads", 2)
    assert worst(logits[-len(reference) :], reference) <= 1
    assert same_bits(app.logits(ids, "--threads", 1, "--chunk", 1), logits)


def test_the_context_does_not_matter(qwen2):
    app = compile_model(qwen2.folder, qwen2.root / "long", *F32, "--context", 200)
    assert same_bits(app.logits(qwen2.ids), qwen2.logits)


def test_embedded_weights(qwen2):
    app = qwen2.other("embedded", *F32, "--embed-weights")
    assert not app.path.with_name(app.path.name + ".weights").exists()
    moved = app.path.parent / "elsewhere"
    moved.mkdir(exist_ok=True)
    app.path = app.path.rename(moved / "app")
    assert same_bits(app.logits(qwen2.ids), qwen2.logits)


def test_weights_are_shared(qwen2):
    """A second executable of the same build runs from the first one's weights file."""
    again = qwen2.other("again", *F32)
    again.path.with_name(again.path.name + ".weights").unlink()
    weights = qwen2.app.path.with_name(qwen2.app.path.name + ".weights")
    assert same_bits(again.logits(qwen2.ids, "--weights", weights), qwen2.logits)


def test_bare_config(qwen2, tmp_path):
    """Without weights at hand the executable is built all the same and takes them with --weights."""
    shutil.copy(qwen2.folder / "config.json", tmp_path / "config.json")
    app = compile_model(tmp_path / "config.json", tmp_path / "app", "--format", "bf16", "--activations", "f32", *CONTEXT)
    weights = qwen2.other("bare", "--format", "bf16", "--activations", "f32").path
    weights = weights.with_name(weights.name + ".weights")
    assert same_bits(app.logits(qwen2.ids, "--weights", weights), qwen2.logits)


def test_compiling_twice_gives_the_same_bytes(qwen2):
    a, b = (qwen2.other(f"twice{i}", *F32).path for i in (1, 2))
    assert a.read_bytes() == b.read_bytes()
    assert a.with_name(a.name + ".weights").read_bytes() == b.with_name(b.name + ".weights").read_bytes()


def test_only_libc_is_needed(qwen2):
    done = execute("ldd", qwen2.app.path)
    needed = {line.split()[0].rsplit("/", 1)[-1] for line in done.stdout.splitlines() if line.strip()}
    libc = {"linux-vdso.so.1", "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"}
    assert needed <= libc | {"statically"}, needed


def test_text_needs_a_tokenizer(qwen2):
    done = execute(qwen2.app.path, "run", "text")
    assert (done.returncode, done.stdout) == (1, "")
    weights = f"{qwen2.app.path}.weights"
    assert done.stderr == f"{weights}: error: no tokenizer in these weights; use --ids\n"
    ids = write_ids(qwen2.root / "ids", qwen2.ids[:3])
    assert len(succeed(qwen2.app.path, "run", "--ids", ids, "--output-ids", "-n", 2).split()) == 2
