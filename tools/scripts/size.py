#!/usr/bin/env python3
"""Prints lines by folder and fails on a source file over the limit: 400 is expected, over 600 is listed, 1000 fails."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENDINGS = {".cpp", ".c", ".h", ".td", ".py", ".cmake", ".txt", ".sh"}
LISTED, LIMIT = 600, 1000


def is_code(path):
    if path.suffix == ".txt":
        return path.name == "CMakeLists.txt"
    if path.suffix == "":
        return path.read_bytes()[:2] == b"#!"
    return path.suffix in ENDINGS


def main():
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True,
                           text=True).stdout.split("\n")
    totals, long, failed = {}, [], False
    for name in filter(None, names):
        path = ROOT / name
        if not path.is_file() or not is_code(path):
            continue
        lines = path.read_bytes().count(b"\n")
        folder = "/".join(name.split("/")[:2]) if "/" in name else "."
        totals[folder] = totals.get(folder, 0) + lines
        if lines > LISTED:
            long.append(f"{name}: {lines} lines, over {LISTED}")
            failed |= lines > LIMIT
    for folder, lines in sorted(totals.items()):
        print(f"{lines:7d}  {folder}")
    print(f"{sum(totals.values()):7d}  in all")
    print("\n".join(long), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
