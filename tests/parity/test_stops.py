# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_stops.py
"""Every stop of `--emit`, going on from each, and the ways to name a model."""

import json
import os
import shutil

import pytest

from harness import QWENC, ROOT, compile_model, execute, succeed

DEMO = ROOT / "configs/tiny/demo"
OPTIONS = ("--context", 64, "--prefill-chunk", 64)
TEXT_STOPS = ("graph", "fused", "scheduled", "planned")


def emitted(model, stop, *options):
    return succeed(QWENC, "compile", model, *OPTIONS, "--emit", stop, *options)


def test_spec_is_json_of_the_config():
    spec, config = json.loads(emitted(DEMO, "spec")), json.loads((DEMO / "config.json").read_text())
    for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size"):
        assert config[key] in spec.values(), key


@pytest.mark.parametrize("stop", TEXT_STOPS)
def test_compiling_goes_on_from_a_stop(stop, tmp_path):
    text = emitted(DEMO, stop)
    assert text.count("qwen.") > 10
    (tmp_path / "step.mlir").write_text(text)
    for later in TEXT_STOPS[TEXT_STOPS.index(stop) :]:
        assert emitted(tmp_path / "step.mlir", later) == emitted(DEMO, later), later


def test_objects_have_the_plan_and_no_weights(tmp_path):
    path = tmp_path / "step.o"
    succeed(QWENC, "compile", DEMO, *OPTIONS, "--emit", "obj", "-o", path)
    data = path.read_bytes()
    assert data[:4] == b"\x7fELF" and b"qwen_model_plan" in data
    assert len(data) < (DEMO / "model.safetensors").stat().st_size / 4
    assert "qwen_model_plan" in emitted(DEMO, "llvm")


def test_an_unknown_stop_names_those_that_exist():
    done = execute(QWENC, "compile", DEMO, "--emit", "ast")
    expected = "qwenc: error: `--emit` is `ast`; stops are spec, graph, fused, scheduled, planned, llvm, obj, exe\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_dumps_say_what_each_pass_did(tmp_path):
    emitted(DEMO, "planned", "--dump-dir", tmp_path / "dumps")
    names = sorted(p.name for p in (tmp_path / "dumps").iterdir())
    assert len(names) >= 8
    assert [n.split("-")[0] for n in names] == sorted(n.split("-")[0] for n in names)
    assert any("select-kernels" in n for n in names)


def test_a_hub_name_is_found_in_the_cache(tmp_path):
    cache = tmp_path / "hub"
    folder = cache / "models--some--model"
    shutil.copytree(DEMO, folder / "snapshots/abc123")
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("abc123")
    environment = os.environ | {"HF_HUB_CACHE": str(cache)}
    app = compile_model("some/model", tmp_path / "app", "--context", 64, env=environment, cwd=tmp_path)
    assert succeed(app.path, "run", "Once upon a time", "-n", 5, "--temperature", 0).startswith(" there w")
    done = execute(QWENC, "compile", "other/model", "-o", tmp_path / "x", env=environment, cwd=tmp_path)
    expected = f"other/model: error: no such directory, and not in the hub cache `{cache}`\n"
    assert (done.returncode, done.stderr) == (1, expected)
