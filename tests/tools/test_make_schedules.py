"""tools/scripts/make_schedules: what it takes from results and from the files that are there."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["QWENC_BIN_DIR"])
KNOBS = ("tokens", "panels", "unroll", "prefetch", "sum_bits", "tokens_outer")
DEFAULT = [4, 1, 1, 0, 16, 0]


def point(values):
    return dict(zip(KNOBS, values))


def result(kernel="linear", options=("q8g32", "q8g32"), m=64, trials=(), calls=1):
    """An entry as `qwenc tune` writes it; the trials start with the default's."""
    trials = [(DEFAULT, 100.0), *trials]
    best = min(trials, key=lambda trial: trial[1])
    return {"kernel": kernel, "options": list(options), "dims": {"k": 896, "n": 4864, "m": m, "t": 0}, "point": point(best[0]),
            "measured": {"us": best[1], "default": DEFAULT, "default_us": 100.0, "machine": "a test", "calls": calls,
                         "trials": trials}}


@pytest.fixture
def make(tmp_path):
    """Runs the script on entries for avx2, with rows that are there before; gives the rows that it wrote."""
    schedules = tmp_path / "schedules"
    schedules.mkdir()
    path = schedules / "avx2.json"

    def run(entries, there=None, *flags):
        if there is not None:
            path.write_text(json.dumps({"target": "avx2", "points": there}))
        results = tmp_path / "results.json"
        results.write_text(json.dumps({"target": "avx2", "points": entries}))
        subprocess.run([ROOT / "tools/scripts/make_schedules", results, "--schedules", schedules, *flags], check=True)
        assert [file.name for file in schedules.iterdir()] == ["avx2.json"]
        return json.loads(path.read_text())["points"]
    return run


def refusal(*arguments):
    done = subprocess.run([ROOT / "tools/scripts/make_schedules", *arguments], capture_output=True, text=True)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


FAST, FASTER = [8, 1, 1, 0, 16, 0], [4, 1, 2, 0, 16, 0]


def test_a_point_for_all_shapes_then_each_shape_s_own(make):
    rows = make([result(m=64, trials=[(FAST, 80.0), (FASTER, 70.0)]), result(m=128, trials=[(FAST, 60.0), (FASTER, 90.0)])])
    assert [row["dims"] for row in rows] == [{"t": 0}] + [{"k": 896, "n": 4864, "m": m, "t": 0} for m in (64, 128)]
    assert [row["point"] for row in rows] == [point(FAST), point(FASTER), point(FAST)]
    assert rows[0].keys() == {"kernel", "options", "dims", "point"}
    assert rows[1]["measured"] == {"us": 70.0, "default_us": 100.0, "machine": "a test"}


def test_what_takes_more_time_weighs_more(make):
    few, many = result(m=64, trials=[(FAST, 80.0), (FASTER, 70.0)]), result(m=128, trials=[(FAST, 90.0), (FASTER, 96.0)], calls=9)
    assert make([few, many])[0]["point"] == point(FAST)


def test_without_update_nothing_else_stays(make):
    other = {"kernel": "linear", "options": ["q4k", "q8g32"], "dims": {"t": 0}, "point": point(FAST)}
    assert other not in make([result(trials=[(FAST, 50.0)])], [other])


def test_update_keeps_what_the_results_leave_out(make):
    other = {"kernel": "linear", "options": ["q4k", "q8g32"], "dims": {"t": 0}, "point": point(FAST)}
    winner = {**other, "dims": {"k": 512, "n": 64, "m": 16, "t": 0}, "measured": {"us": 1, "default_us": 2, "machine": "old"}}
    rows = make([result(trials=[(FASTER, 50.0)])], [winner, other], "--update")
    assert rows[0] == other and rows[2] == winner and len(rows) == 4
    # A second time it changes nothing.
    assert make([result(trials=[(FASTER, 50.0)])], None, "--update") == rows


@pytest.mark.parametrize("us, wins", [(94.0, False), (96.0, False), (80.0, True)])
def test_update_takes_a_winner_from_five_percent_on(make, us, wins):
    dims = result()["dims"]
    there = [{"kernel": "linear", "options": ["q8g32", "q8g32"], "dims": dims, "point": point(FAST)}]
    rows = make([result(trials=[(FAST, 97.0), (FASTER, us)])], there, "--update")
    assert [row["point"] for row in rows if row["dims"] == dims] == [point(FASTER if wins else FAST)]


def test_the_compiler_takes_what_is_written(make, tmp_path):
    make([result(trials=[(FAST, 50.0)])])
    subprocess.run([BIN / "qwenc", "compile", ROOT / "configs/models/qwen2.5-0.5b/config.json", "--target", "avx2", "--schedule",
                    tmp_path / "schedules/avx2.json", "--emit=scheduled"], check=True, stdout=subprocess.DEVNULL)


def test_bad_input_is_one_line(tmp_path):
    assert refusal() == "make_schedules: error: no results; give files, or --measure"
    for time in ("5x", "0m", "m", "-3s"):
        assert f"`{time}` is no time; 900s and 15m are" in refusal(f"--measure={time}")
    assert refusal(tmp_path / "none.json") == f"make_schedules: error: {tmp_path}/none.json: No such file or directory"
    broken = tmp_path / "broken.json"
    for text in ("{", "[]", '{"target": "avx2"}', '{"target": "avx2", "points": [{}]}', '{"target": "avx2", "points": 3}'):
        broken.write_text(text)
        assert refusal(broken).startswith(f"make_schedules: error: {broken}: no schedule file"), text
    good = result()
    del good["measured"]["trials"]
    broken.write_text(json.dumps({"target": "avx2", "points": [good]}))
    assert refusal(broken).endswith("entry 0 has no `trials`; give results of `qwenc tune`")
    broken.write_text(json.dumps({"target": "riscv", "points": [result()]}))
    assert refusal("--update", "--schedules", tmp_path, broken).endswith("riscv.json: No such file or directory")
