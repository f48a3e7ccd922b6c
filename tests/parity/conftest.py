"""Says once, and clearly, that the programs are not built."""

import pytest

from harness import QWENC


def pytest_sessionstart(session):
    if not QWENC.exists():
        pytest.exit(f"{QWENC} does not exist; build qwenc or set QWENC_BIN_DIR", returncode=2)
