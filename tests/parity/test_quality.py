# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_quality.py
"""The table of `qwenc quality` is what logits say, and wrong inputs are refused."""

import json

import numpy as np
import pytest

import checkpoint
import models
from harness import QWENC, ROOT, compile_model, divergence, execute, succeed, write_ids

DEMO = ROOT / "configs/tiny/demo"
FORMATS = ("stored", "q8g32", "q5g32", "q4g32+embed_tokens=q5g32+down_proj=q5g32", "q4g32")
IDS = list(range(40, 120))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    ids = write_ids(tmp_path_factory.mktemp("quality") / "ids", IDS)
    text = succeed(QWENC, "quality", DEMO, "--formats", ",".join(FORMATS), "--ids", ids, "--json")
    return {row["format"]: row for row in json.loads(text)["rows"]}


def test_rows_are_what_the_logits_say(table, tmp_path):
    exact = compile_model(DEMO, tmp_path / "exact", "--activations", "f32").logits(IDS)
    built = compile_model(DEMO, tmp_path / "q5", "--format", "q5g32", "--context", 512)
    logits = built.logits(IDS)
    row = table["q5g32"]
    assert row["kl"] == pytest.approx(divergence(exact, logits), rel=1e-3)
    assert row["same_top"] == (exact.argmax(1) == logits.argmax(1)).mean()
    shifted = logits.astype("f8") - logits.max(1, keepdims=True)
    surprise = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(IDS)), np.roll(IDS, -1)]
    assert row["perplexity"] == pytest.approx(np.exp(surprise[:-1].mean()), rel=1e-3)
    assert row["file_bytes"] == built.path.with_suffix(".weights").stat().st_size


def test_fewer_bits_cost_more(table):
    kl, size = ([table[name][key] for name in FORMATS] for key in ("kl", "token_bytes"))
    assert kl == sorted(kl) and 0 <= kl[0] < 1e-4 < kl[-1]
    assert size == sorted(size, reverse=True) and size[-1] < size[0] / 3


def test_cache_types_are_measured_beside_formats(tmp_path):
    ids = write_ids(tmp_path / "ids", IDS)
    command = (QWENC, "quality", DEMO, "--formats", "stored,q8g32", "--ids", ids, "--activations", "f32")
    text = succeed(*command, "--cache-types", "f32,f16,int16,int8", "--json")
    rows = {(row["format"], row["cache_type"]): row["kl"] for row in json.loads(text)["rows"]}
    assert len(rows) == 8 and rows["stored", "f32"] < 1e-9
    assert rows["stored", "f16"] < rows["stored", "int8"] < 1e-2
    assert rows["stored", "int16"] < rows["stored", "f16"]
    text = succeed(*command, "--cache-types", "int8")
    assert [line[:16].strip() for line in text.splitlines()[1:]] == ["format, cache", "stored int8", "q8g32 int8"]


def test_a_mixture_is_the_model(tmp_path):
    app = compile_model(DEMO, tmp_path / "app", "--format", "q4g32+down_proj=q5g32+layers.1.=q8g32+2.mlp.down=stored").path
    kernels = " ".join(json.loads(succeed(app, "info", "--json"))["description"]["kernels"])
    for kernel in ("embedding__q4g32", "linear__q5g32_q8g32_residual", "swiglu__q8g32_q8g32", "linear__bf16_f32_residual"):
        assert kernel in kernels
    assert "verdict: the executable computes the model" in succeed(QWENC, "verify", app)


def test_a_pair_of_one_kernel_has_one_format(tmp_path):
    command = (QWENC, "compile", DEMO, "-o", tmp_path / "app", "--format", "q4g32+gate_proj=q5g32")
    done = execute(*command)
    assert done.returncode == 1 and not (tmp_path / "app").exists()
    assert "gate_proj.weight` would be q5g32 and `model.layers.0.mlp.up_proj.weight` q4g32" in done.stderr
    succeed(*command, "--disable-pass", "qwen-fuse-swiglu")


def test_builds_of_bits_join_the_table(tmp_path):
    ids = write_ids(tmp_path / "ids", IDS)
    text = succeed(QWENC, "quality", DEMO, "--formats", "stored,q4g32", "--bits", "5,4.5", "--ids", ids, "--json")
    rows = {row["format"]: row for row in json.loads(text)["rows"]}
    assert list(rows) == ["stored", "q4g32", "5 bits", "4.5 bits"]
    exact = compile_model(DEMO, tmp_path / "exact", "--activations", "f32").logits(IDS)
    built = compile_model(DEMO, tmp_path / "five", "--bits", 5, "--context", 512)
    assert rows["5 bits"]["kl"] == pytest.approx(divergence(exact, built.logits(IDS)), rel=1e-3)
    assert rows["5 bits"]["file_bytes"] == built.path.with_suffix(".weights").stat().st_size
    assert rows["5 bits"]["kl"] < rows["4.5 bits"]["kl"] < rows["q4g32"]["kl"]
    assert rows["5 bits"]["token_bytes"] > rows["4.5 bits"]["token_bytes"] == rows["q4g32"]["token_bytes"]


def test_text_is_measured_with_the_models_tokenizer(tmp_path):
    (tmp_path / "text").write_text("The ferry leaves at six. " * 4, encoding="utf-8")
    out = succeed(QWENC, "quality", DEMO, "--text", tmp_path / "text", "--tokens", 20)
    assert out.startswith("20 tokens against the values as stored") and "stored" in out.splitlines()[2]


@pytest.mark.parametrize(
    "options, message",
    [
        (("--formats", "stored,q3"), "`--format` is `q3`; formats are stored"),
        (("--formats", "q4g32+lm_head"), "`--format` has `lm_head` after a `+`; it takes +PIECE=FORMAT there"),
        (("--formats", "q4g32+=q5g32"), "`--format` has `=q5g32` after a `+`; it takes +PIECE=FORMAT there"),
        (("--formats", "q4g32+down=q3"), "`--format` is `q3`; formats are stored"),
        (("--bits", "nan"), "`--bits` is nan; it is the mean bits of a weight, such as 4.5"),
        (("--bits", "5,four"), "could not convert: --bits = 5,four"),
        (("--bits", "5", "--activations", "f32"), "`--bits` is for activations in q8g32, not f32"),
        (("--calibrate", "text"), "`--calibrate` is for `--bits`, which is missing"),
        (("--bits", "5,3"), "`--bits` is 3; the matrices of `%s` can have 4.50 to 8.50 bits a weight" % DEMO),
        (("--bits", "5", "--calibrate", "missing"), "cannot read `missing`: No such file or directory"),
        (("--cache-types", "f16,int4"), "`--cache-type` is `int4`; it is f32, f16, int16 or int8"),
        (("--text", "missing"), "cannot read `missing`: No such file or directory"),
        (("--text", "/dev/null"), "`/dev/null` has 0 tokens; at least 2 are needed"),
        (("--text", QWENC), "is no text: it has a zero byte"),
        (("--ids", DEMO / "config.json"), "holds something that is no token id"),
        (("--tokens", 1), "--tokens: value 1 not in range 2 to 65536"),
    ],
)
def test_refused(options, message):
    done = execute(QWENC, "quality", DEMO, *options)
    assert done.returncode == 1 and done.stdout == ""
    assert message.lower() in done.stderr.splitlines()[-1].lower()


def test_refused_ids_and_models(tmp_path):
    done = execute(QWENC, "quality", DEMO, "--ids", write_ids(tmp_path / "ids", [1, 384]))
    assert done.returncode == 1 and "384 is no token id; the model has 384" in done.stderr
    done = execute(QWENC, "quality", DEMO / "config.json")
    assert done.returncode == 1 and "has no weights to measure" in done.stderr
    model = checkpoint.write_model(tmp_path / "model", models.TINY["qwen2_tied"])
    done = execute(QWENC, "quality", model)
    assert done.returncode == 1 and "has no tokenizer; give token ids with `--ids`" in done.stderr
