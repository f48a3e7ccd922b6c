# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_token_loop.py
"""From the first token to the last, an executable asks for no memory and makes no system call but to write the tokens."""

import collections
import os
import re
import shutil

import pytest

import checkpoint
import models
from harness import ROOT, compile_model, execute, succeed, write_ids

TOKENS = 64
# A waiting thread spins, then sleeps: how often is the machine's business.
WAITING = {"futex"}

MODES = {
    "greedy": ["-t", 1],
    "sampled": ["-t", 1, "--temperature", 0.8, "--top-k", 20, "--top-p", 0.9, "--repetition-penalty", 1.1, "--seed", 1],
    "drafted": ["-t", 1, "--prompt-lookup", "always"],
    "two threads": ["-t", 2],
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loop")
    model = checkpoint.write_model(folder / "model", models.TINY["qwen2_tied"])
    return compile_model(model, folder / "app", "--context", 128)


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    path = tmp_path_factory.mktemp("counter") / "count_allocations.so"
    succeed("clang-22", "-shared", "-fPIC", "-O1", ROOT / "tests/parity/count_allocations.c", "-o", path)
    return path


def generation(app, mode):
    ids = write_ids(app.path.parent / "ids", [5, 9, 2, 5, 9, 2, 5, 9])
    return [app.path, "run", "--ids", ids, "--output-ids", "--ignore-stop", "-n", TOKENS, *MODES[mode]]


@pytest.mark.parametrize("mode", MODES)
def test_no_memory_is_asked_for(app, counter, mode):
    done = execute(*generation(app, mode), env={**os.environ, "LD_PRELOAD": str(counter)})
    assert done.returncode == 0 and len(done.stdout.split()) == TOKENS
    requests = [int(count) for count in re.findall(r"^requests (\d+)$", done.stderr, re.MULTILINE)]
    # The last write ends the line.
    assert len(requests) == TOKENS + 1 and requests[0] > 0
    assert set(requests[:TOKENS]) == {requests[0]}


@pytest.mark.parametrize("mode", MODES)
def test_no_system_call_is_made(app, mode, tmp_path):
    trace = tmp_path / "trace"
    strace = shutil.which("strace")
    assert strace, "strace is not installed; tools/setup installs it"
    succeed(strace, "-f", "-o", trace, *generation(app, mode))
    calls = [match[1] for line in trace.read_text().splitlines() if (match := re.match(r"\d+ +(\w+\([^,)]*)", line))]
    writes = [i for i, call in enumerate(calls) if call == "write(1"]
    assert len(writes) == TOKENS + 1
    between = collections.Counter(call.split("(")[0] for call in calls[writes[0] : writes[TOKENS - 1]])
    assert between.pop("write") == TOKENS - 1
    assert set(between) <= (WAITING if mode == "two threads" else set()), between
