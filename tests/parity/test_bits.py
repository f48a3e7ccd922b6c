# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_bits.py
"""`compile --bits`: formats by what they cost, values rounded with a text in mind, and what is refused."""

import json
import os
import signal
import subprocess
import time

import pytest

import checkpoint
import models
from harness import QWENC, ROOT, compile_model, divergence, execute, succeed, write_ids

DEMO = ROOT / "configs/tiny/demo"
IDS = [(7 * i * i + 3 * i) % 256 for i in range(96)]  # bytes, as the demo's tokens are; unlike the calibration text


def info(app):
    return json.loads(succeed(app.path, "info", "--json"))


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return compile_model(DEMO, tmp_path_factory.mktemp("exact") / "app", "--activations", "f32").logits(IDS)


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    return compile_model(DEMO, tmp_path_factory.mktemp("five") / "app", "--bits", 5)


def test_bytes_are_those_asked_for(five):
    told = info(five)
    bits = told["description"]["bits"]
    assert bits["wanted"] == 5 and 4.5 <= bits["reached"] <= 5
    assert "q4g32" in told["description"]["format"] and "q5g32" in told["description"]["format"]
    assert told["description"]["model"] == str(DEMO)
    matrices = 3 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 160 * 64) + 384 * 64
    read = told["plan"]["decode_bytes"]
    assert bits["reached"] * matrices / 8 <= read < 5 * matrices / 8 + 40_000


def test_verify_knows_what_was_made_anew(five, tmp_path):
    text = succeed(QWENC, "verify", five.path)
    assert "were made anew as the build says" in text and "verdict: the executable computes the model" in text
    file = five.path.with_name("app.weights")
    good = file.read_bytes()
    try:
        damaged = bytearray(good)
        middle = len(good) // 2
        for at in range(middle, middle + 64):
            damaged[at] ^= 0x11
        file.write_bytes(damaged)
        done = execute(QWENC, "verify", five.path)
    finally:
        file.write_bytes(good)
    assert done.returncode == 1 and "weight encoding" in done.stdout, done.stdout + done.stderr


def test_compensated_bits_cost_less(exact, tmp_path):
    """In the bytes of 4 bits everywhere, rounding with the inputs in mind is nearer to the model."""
    plain = compile_model(DEMO, tmp_path / "plain", "--format", "q4g32").logits(IDS)
    made = compile_model(DEMO, tmp_path / "made", "--bits", 4.5)
    assert info(made)["description"]["format"] == "q4g32"
    assert divergence(exact, made.logits(IDS)) < divergence(exact, plain)


def test_other_texts_and_ids(five, tmp_path):
    text = tmp_path / "text"
    text.write_text("The ferry leaves at six. " * 20, encoding="utf-8")
    told = info(compile_model(DEMO, tmp_path / "text.app", "--bits", 5, "--calibrate", text))
    assert told["description"]["bits"]["tokens"] < info(five)["description"]["bits"]["tokens"]
    model = checkpoint.write_model(tmp_path / "model", models.TINY["qwen2_tied"])
    ids = write_ids(tmp_path / "ids", [i % 90 for i in range(128)])
    command = (QWENC, "compile", model, "-o", tmp_path / "ids.app", "--bits", 4.8, "--context", 80)
    done = execute(*command)
    assert done.returncode == 1 and not (tmp_path / "ids.app").exists()
    assert "has no tokenizer for the text that `--bits` calibrates with; give token ids" in done.stderr
    succeed(*command, "--calibrate-ids", ids)


def test_checked_and_embedded(tmp_path):
    app = compile_model(DEMO, tmp_path / "app", "--bits", 5.5, "--check", "--embed-weights")
    assert info(app)["description"]["check"]["verdict"] == "the executable computes the model"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app"]


@pytest.mark.parametrize(
    "options, message",
    [
        (("--bits", 3), "`--bits` is 3; the matrices of `%s` can have 4.50 to 8.50 bits a weight" % DEMO),
        (("--bits", 9), "`--bits` is 9; the matrices of `%s` can have 4.50 to 8.50 bits a weight" % DEMO),
        (("--bits", "nan"), "`--bits` is nan; it is the mean bits of a weight, such as 4.5"),
        (("--bits", -1), "`--bits` is -1; it is the mean bits of a weight, such as 4.5"),
        (("--bits", "four"), "could not convert: --bits = four"),
        (("--bits", 5, "--format", "q4g32"), "`--bits` chooses formats itself; it does not go with `--format`"),
        (("--bits", 5, "--activations", "f32"), "`--bits` is for activations in q8g32, not f32"),
        (("--bits", 5, "--zero-weights"), "it does not go with `--zero-weights`"),
        (("--bits", 5, "--emit=planned"), "`--bits` makes an executable, and `--emit=planned` makes none"),
        (("--calibrate", "text"), "`--calibrate` is for `--bits`, which is missing"),
        (("--bits", 5, "--calibrate", "missing"), "cannot read `missing`: No such file or directory"),
        (("--bits", 5, "--calibrate", "/dev/null"), "`/dev/null` has 0 tokens; at least 64 are needed"),
        (("--bits", 5, "--calibrate", DEMO / "model.safetensors"), "is no UTF-8 text"),
        (("--bits", 5, "--calibrate-ids", DEMO / "config.json"), "holds something that is no token id"),
        (("--bits", 5, "--calibrate", "a", "--calibrate-ids", "b"), "both say what to calibrate with; give one"),
    ],
)
def test_refused(options, message, tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = execute(QWENC, "compile", DEMO, "-o", tmp_path / "app", *options, env={**os.environ, "TMPDIR": str(folder)})
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == [folder] and not list(folder.iterdir())


def test_models_without_weights_are_refused(tmp_path):
    done = execute(QWENC, "compile", DEMO / "config.json", "-o", tmp_path / "app", "--bits", 5)
    assert done.returncode == 1 and "has no weights, and `--bits` measures them" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_fails_within_is_told_once(tmp_path):
    done = execute(QWENC, "compile", DEMO, "-o", tmp_path / "app", "--bits", 5, "--linker", "/bin/false")
    told = [line for line in done.stderr.splitlines() if "error:" in line]
    assert (done.returncode, told) == (1, ["qwenc: error: `/bin/false` failed with exit code 1"])
    assert not list(tmp_path.iterdir())


def test_nothing_stays_behind_an_interrupt(tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()
    running = subprocess.Popen(
        [QWENC, "compile", DEMO, "-o", tmp_path / "app", "--bits", "5"],
        stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(folder)}, start_new_session=True,
    )
    while not any(folder.glob("*/*")) and running.poll() is None:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT
    assert list(tmp_path.iterdir()) == [folder] and not list(folder.iterdir())
