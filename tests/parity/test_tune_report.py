# QWENC_BIN_DIR=build/bin build/venv/bin/python -m pytest tests/parity/test_tune_report.py
"""The page of `qwenc tune --report` in Chromium, which apt has: it loads nothing, and draws what the results say."""

import functools
import html.parser
import json
import os
import re
import shutil
import struct
import zlib

import pytest

from harness import QWENC, succeed
from test_tune import KERNEL, symbol_of

CHROMIUM = shutil.which("chromium")


class Page(html.parser.HTMLParser):
    """Counts elements; refuses what is not closed in order."""

    VOID = {"meta", "line", "circle", "polyline"}

    def __init__(self, text):
        super().__init__()
        self.open, self.counts, self.links = [], {}, []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value for name, value in attributes if name in ("src", "href", "action", "data", "xlink:href")]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    symbols = [symbol_of(), symbol_of().replace("k256", "k512")]
    succeed(KERNEL, "tune", "-o", folder / "a.json", "--candidates", 6, *symbols)
    # Text from a file must stay text.
    content = json.loads((folder / "a.json").read_text())
    content["points"][0]["measured"]["machine"] = "<script>alert(1)</script>&"
    trials = [["prefill_chunk", 256, 1.0, 1.05, True], ["barrier_spin_us", 5, 0.97, 1.0, False]]
    content["models"] = [{"model": "d64<b>", "prefill_chunk": 256, "barrier_spin_us": 0, "measured": {
        "machine": "here", "decode_ratio": 1.0, "prefill_ratio": 1.05, "trials": trials}}]
    (folder / "a.json").write_text(json.dumps(content))
    succeed(QWENC, "tune", "-o", folder / "a.json", "--report", folder / "a.html")
    return folder / "a.html", content["points"]


def test_page_is_whole_and_loads_nothing(report):
    path, entries = report
    text = path.read_text()
    page = Page(text)
    assert page.links == [] and "http" not in text and "@import" not in text and "url(" not in text
    assert "script" not in page.counts
    # A roofline, and two drawings for each kernel; a row for each kernel and the heading.
    assert page.counts["svg"] == 1 + 2 * len(entries)
    # The steps' choices: a heading and a row for each value.
    assert page.counts["tr"] == 1 + len(entries) + 1 + 2 and "b" not in page.counts
    assert "d64&lt;b&gt;: decode 1\u00d7, prefill 1.05\u00d7" in text and text.count(">kept<") == 1
    for entry in entries:
        gain = entry["measured"]["default_us"] / entry["measured"]["us"]
        shown = f"{gain:.2f}".rstrip("0").rstrip(".")
        assert f">{shown}\u00d7<" in text
    points = sum(len(entry["measured"]["trials"]) for entry in entries)
    assert text.count("<circle") == points + 2 * len(entries)


def pixels(path):
    """(width, height, rows of RGB bytes) of an 8-bit PNG without interlacing."""
    data = path.read_bytes()
    at, compressed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and color in (2, 6)
        elif kind == b"IDAT":
            compressed += body
        at += size + 12
    step = 3 if color == 2 else 4
    raw, rows, before = zlib.decompress(compressed), [], bytearray(width * step)
    for y in range(height):
        mode, *line = raw[y * (width * step + 1) : (y + 1) * (width * step + 1)]
        row = bytearray(line)
        for x in range(len(row)):
            left, up, corner = (row[x - step] if x >= step else 0), before[x], (before[x - step] if x >= step else 0)
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda value: abs(guess - value))
            row[x] = (row[x] + [0, left, up, (left + up) // 2, paeth][mode]) & 255
        rows.append(row)
        before = row
    return width, height, step, rows


def test_chromium_draws_it_without_complaint(report, tmp_path):
    path, entries = report
    assert CHROMIUM, "chromium is missing; tools/setup installs it"
    shot = tmp_path / "page.png"
    # As root in a container: no sandbox, no message bus, no graphics card, little or no /dev/shm.
    arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                 "--disable-breakpad", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
                 "--window-size=800,900"]
    place = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "DBUS_SESSION_BUS_ADDRESS": "disabled:"}
    browse = functools.partial(succeed, CHROMIUM, *arguments, env=place, timeout=240)
    dom = browse("--dump-dom", path.as_uri())
    # What the browser understood is what was written.
    assert dom.count("<svg") == 1 + 2 * len(entries) and dom.count("<polyline") == path.read_text().count("<polyline")
    assert "&lt;script&gt;" in dom
    browse(f"--screenshot={shot}", path.as_uri())
    width, height, step, rows = pixels(shot)
    assert (width, height) == (800, 900)
    colours = {bytes(row[x : x + 3]) for row in rows for x in range(0, width * step, step)}
    assert b"\x0b\x7a\x75" in colours and b"\xb3\x5c\x1e" in colours, "winners and defaults are drawn"
