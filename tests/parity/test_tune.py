# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_tune.py
"""`qwenc tune`: results, resuming, interrupting, merging, what compiling takes of them, and what is refused."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

import checkpoint
import models
from harness import BIN, QWENC, ROOT, execute, same_bits, succeed, compile_model

KERNEL = BIN / "qwenc-kernel"


def symbol_of(target="x86_64"):
    knobs = json.loads(succeed(KERNEL, "catalog"))["kernels"][kernel_index("linear")]["knobs"]
    return f"qk_linear__q8g32_q8g32__k256_n64_m64_t0__{target}_p" + "x".join(
        # Only sums of 32 bits hold those of 8-bit quants.
        str(knob["values"][-1 if knob["name"] == "sum_bits" else 0]) for knob in knobs)


def kernel_index(name):
    return [kernel["name"] for kernel in json.loads(succeed(KERNEL, "catalog"))["kernels"]].index(name)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return checkpoint.write_model(tmp_path_factory.mktemp("tune") / "model", models.TINY["qwen2_tied"])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache of its own, so that no result of another run counts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def tune(*options, code=0):
    done = execute(QWENC, "tune", *options)
    assert done.returncode == code, done.stderr
    return done.stderr


def results_in(folder):
    (path,) = folder.glob("cache/qwenc/schedules/*.json")
    return path


def test_compile_takes_up_results_and_no_bit_changes(model, home):
    ids = list(range(1, 40))
    plain = compile_model(model, home / "plain", "--format", "q8g32").logits(ids)
    text = tune(model, "--format", "q8g32", "--budget", "15s", "--seed", 2)
    path = results_in(home)
    assert re.fullmatch(r"[a-z0-9_]+-[a-z0-9-]+\.json", path.name)
    entries = json.loads(path.read_text())["points"]
    assert entries and re.search(rf"{len(entries)} of \d+ kernels are tuned in {re.escape(str(path))}, \d\.\d\dx the default", text)
    for entry in entries:
        measured = entry["measured"]
        assert measured["us"] <= measured["default_us"] and len(measured["trials"]) > 1

    # A point that nothing else chooses, to be sure that the file is what counts.
    without = succeed(QWENC, "compile", model, "--format", "q8g32", "--emit=scheduled", "--no-tuned")
    target = json.loads(path.read_text())["target"]

    def name(entry, point):
        dims = [letter + str(value) for letter, value in entry["dims"].items()]
        parts = ["qk_" + entry["kernel"], "_".join(entry["options"]), "_".join(dims)]
        return "__".join(parts) + f"__{target}_p" + "x".join(map(str, point))

    chosen, other = next(
        (entry, trial[0])
        for entry in entries
        if entry["kernel"].startswith("linear") and "s" not in entry["measured"]
        for trial in entry["measured"]["trials"]
        if trial[1] and name(entry, trial[0]) not in without
    )
    chosen["point"] = dict(zip(chosen["point"], other))
    path.write_text(json.dumps({"target": target, "points": entries}))
    assert name(chosen, other) in succeed(QWENC, "compile", model, "--format", "q8g32", "--emit=scheduled")
    tuned = compile_model(model, home / "tuned", "--format", "q8g32").logits(ids)
    assert same_bits(plain, tuned)


def test_choices_of_a_model_are_taken_up(home):
    config = ROOT / "configs/models/qwen2.5-0.5b/config.json"
    options = (config, "--format", "q8g32", "--emit=scheduled")
    plain = succeed(QWENC, "compile", *options)
    content = {"points": [], "models": [{"model": "d896_f4864_l24_h14_g2_c64_v151936_q8g32_q8g32_int16", "chunk_bytes": 1 << 18,
                                          "attention_rows": 32}]}
    # Whatever a search leaves is where compiling looks.
    tune(config, "--format", "q8g32", "--budget", "5s")
    path = results_in(home)
    path.write_text(json.dumps(content))
    larger = succeed(QWENC, "compile", *options)
    rows = re.compile(r"qk_linear_swiglu__q8g32_q8g32__k896_n4864_m(\d+)_t1")
    assert int(rows.search(larger).group(1)) > int(rows.search(plain).group(1))
    assert "tokenBlock = 32" in larger and "tokenBlock = 32" not in plain
    # Another model's choices, and none for this one.
    content["models"][0]["model"] = "d1"
    path.write_text(json.dumps(content))
    assert succeed(QWENC, "compile", *options) == plain
    content["models"][0]["chunk_bytes"] = -1
    path.write_text(json.dumps(content))
    done = execute(QWENC, "compile", *options)
    assert done.stderr == f"{path}: error: models[0] sets `chunk_bytes` to -1; it is 0 to 1073741824\n"


def test_a_second_run_goes_on(model, home):
    tune(model, "--format", "q8g32", "--budget", "10s")
    first = json.loads(results_in(home).read_text())["points"]
    text = tune(model, "--format", "q8g32", "--budget", "60s")
    second = json.loads(results_in(home).read_text())["points"]
    assert second[: len(first)] == first
    assert tune(model, "--format", "q8g32", "--budget", "60s").count("tried") == 0, text
    # The kernels are done, so that the steps had the time; what was chosen is written and shown.
    content = json.loads(results_in(home).read_text())
    (row,) = content["models"]
    assert row["prefill_chunk"] in (0, 64, 128)
    assert {choice for choice, *_ in row["measured"]["trials"]} >= {"prefill_chunk"}
    app = compile_model(model, home / "app", "--format", "q8g32")
    assert f'plan.prefill_chunk: {row["prefill_chunk"] or 256}\n' in succeed(app.path, "info")
    tune("--report", home / "page.html")
    assert ">prefill_chunk</td>" in (home / "page.html").read_text()


def test_interrupt_keeps_what_is_done(home):
    out = home / "out.json"
    symbols = [symbol_of().replace("_n64_m64_", f"_n{64 * i}_m64_") for i in range(1, 9)]
    run = subprocess.Popen(
        [KERNEL, "tune", "-o", out, "--budget", "60s", "--exhaustive", *symbols], stderr=subprocess.PIPE, text=True
    )
    while run.poll() is None and (not out.exists() or not json.loads(out.read_text())["points"]):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors
    done = len(json.loads(out.read_text())["points"])
    assert 0 < done < len(symbols)
    assert f"interrupted; {done} of {len(symbols)} kernels are tuned in {out}" in errors
    assert [path.name for path in home.iterdir()] == ["out.json"]


def test_equal_seeds_try_equal_points_first(home):
    tried = []
    for name in ("a", "b"):
        out = home / f"{name}.json"
        succeed(KERNEL, "tune", "-o", out, "--candidates", 2, "-j", 2, "--seed", 5, symbol_of())
        tried.append([trial[0] for trial in json.loads(out.read_text())["points"][0]["measured"]["trials"]])
    # Later proposals follow from the figures, which differ.
    assert tried[0] == tried[1]


def test_merge(home):
    names = [home / "a.json", home / "b.json"]
    for path, inner in zip(names, (256, 512)):
        succeed(KERNEL, "tune", "-o", path, "--candidates", 2, symbol_of().replace("k256", f"k{inner}"))
    tune("--merge", *names, "-o", home / "c.json")
    merged = json.loads((home / "c.json").read_text())["points"]
    assert [entry["dims"]["k"] for entry in merged] == [256, 512]
    # Any of them is a schedule file.
    config = home / "c.json"
    assert execute(QWENC, "compile", "configs/models/qwen2.5-0.5b/config.json", "--emit=scheduled", "--schedule", config,
                   cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__)))).returncode == 0


def edited(path, change):
    content = json.loads(path.read_text())
    change(content["points"][0])
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def results(home):
    path = home / "results.json"
    succeed(KERNEL, "tune", "-o", path, "--candidates", 2, symbol_of())
    return path


def test_stale_and_foreign_entries_are_ignored_with_a_note(results, home):
    edited(results, lambda entry: entry["measured"].update(version="halide1.0.0-0"))
    text = tune("--merge", results, "-o", home / "c.json")
    assert text == f"{results}: note: 1 entry of another version is ignored\n"
    assert json.loads((home / "c.json").read_text())["points"] == []


def test_broken_entries_are_named(results, home):
    knobs = [knob for knob in json.loads(succeed(KERNEL, "catalog"))["kernels"][kernel_index("linear")]["knobs"]]
    first = knobs[0]
    changes = {
        "unknown kernel": (lambda e: e.update(kernel="liner", measured={}), "points[0] names the unknown kernel `liner`; kernels: "),
        "unknown knob": (lambda e: e["point"].update(speed=1), "points[0] names the unknown knob `speed` of kernel `linear`; knobs: tokens, panels, unroll, prefetch, sum_bits, tokens_outer\n"),
        "value": (
            lambda e: e["point"].update({first["name"]: 3333}),
            f"points[0] sets knob `{first['name']}` of kernel `linear` to 3333; values: "
            + json.dumps(first["values"], separators=(",", ":")) + "\n",
        ),
    }
    whole = results.read_text()
    for name, (change, expected) in changes.items():
        results.write_text(whole)
        edited(results, change)
        done = execute(QWENC, "tune", "--merge", results, "-o", home / "c.json")
        assert (done.returncode, done.stderr[: len(f"{results}: error: {expected}")]) == (1, f"{results}: error: {expected}"), name
        assert done.stderr.count("\n") == 1 and not (home / "c.json").exists()
    results.write_text(whole[: len(whole) // 2])
    done = execute(QWENC, "tune", "--merge", results, "-o", home / "c.json")
    assert (done.returncode, done.stderr) == (1, f"{results}: error: not valid JSON\n")


def test_a_broken_result_file_stops_compiling(model, home):
    tune(model, "--format", "q8g32", "--budget", "5s")
    path = results_in(home)
    path.write_text('{"points": [{"kernel": "linear", "point": {"speed": 1}}]}')
    done = execute(QWENC, "compile", model, "--format", "q8g32", "--emit=scheduled")
    assert (done.returncode, done.stderr) == (1, f"{path}: error: points[0] names the unknown knob `speed` of kernel `linear`; "
                                             "knobs: tokens, panels, unroll, prefetch, sum_bits, tokens_outer\n")


def refused(expected, *options, program=QWENC):
    done = execute(program, "tune", *options)
    assert (done.returncode, done.stderr, done.stdout) == (1, expected, "")


def test_bad_options(model, home):
    least = "compiling and timing one candidate takes about 5 s"
    refused("qwenc: error: a model is missing\n")
    refused(f"qwenc: error: `--budget` is 1 s; {least}\n", model, "--budget", "1s")
    refused(
        "qwenc: error: `--budget` is `soon`; it is a time of up to a week, such as 90s, 10m or 1h\n", model, "--budget", "soon"
    )
    refused("qwenc: error: `-o` is missing\n", "--merge", model)
    nowhere = home / "none.json"
    refused(f"{nowhere}: error: cannot be read: No such file or directory\n", "--merge", nowhere, "-o", home / "c.json")
    assert not (home / "cache").exists()


def test_places_that_cannot_be_written(home):
    (home / "file").write_text("")
    folder = home / "file" / "folder"
    refused(
        f"{folder}: error: cannot be made: Not a directory\n", "-o", folder / "a.json", symbol_of(), program=KERNEL
    )
    refused("/proc/a.json: error: cannot be written: No such file or directory\n", "-o", "/proc/a.json", symbol_of(),
            program=KERNEL)
    pipe = home / "pipe"
    os.mkfifo(pipe)
    refused(f"{pipe}: error: not a regular file, and a file that is renamed to it would take its place\n",
            "-o", pipe, symbol_of(), program=KERNEL)


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), reason="root may write anywhere")
def test_read_only_folder(home):
    folder = home / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    drop = ["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"] if os.geteuid() == 0 else []
    os.chmod(home, 0o755)
    for parent in list(home.parents)[:3]:
        os.chmod(parent, os.stat(parent).st_mode | 0o055)
    done = execute(*drop, KERNEL, "tune", "-o", folder / "a.json", symbol_of())
    assert (done.returncode, done.stderr) == (1, f"{folder}/a.json: error: cannot be written: Permission denied\n")


def test_a_file_without_figures_is_not_overwritten(home):
    path = home / "own.json"
    own = '{"points": [{"kernel": "linear", "point": {"tokens": 1}}]}'
    path.write_text(own)
    refused(
        f"{path}: error: 1 of its entries have no figures, and a search writes the file anew; give another `-o`\n",
        "-o", path, symbol_of(), program=KERNEL,
    )
    assert path.read_text() == own
