"""Says once, and clearly, that the programs are not built."""

import pytest

from harness import QWENC


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: for the slow suite alone, where a file is one of the fast suite")


def pytest_sessionstart(session):
    if not QWENC.exists():
        pytest.exit(f"{QWENC} does not exist; build qwenc or set QWENC_BIN_DIR", returncode=2)
