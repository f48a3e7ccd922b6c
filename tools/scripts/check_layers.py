#!/usr/bin/env python3
"""Checks every #include against the layer table of ARCHITECTURE.md: who may include what."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folder -> folders of ours it may include, besides itself. The longest matching folder counts.
ALLOWED = {
    "tools": [""],
    "tests": [""],
    "codegen/emit": ["passes", "codegen/catalog", "runtime/include"],
    "codegen/catalog": ["runtime/include"],
    "codegen/tuning": ["codegen/catalog"],
    "codegen/kernels": ["codegen/formats", "codegen/targets", "codegen/catalog", "runtime/include"],
    "codegen/formats": ["codegen/kernels", "codegen/targets", "codegen/catalog"],
    "codegen/quantise": ["codegen/formats"],
    "codegen/targets": ["codegen/kernels", "codegen/formats", "codegen/catalog"],
    "passes/pipeline": ["passes", "codegen/catalog"],
    "passes/transforms": ["passes/ir", "codegen/catalog"],
    "passes/reference": ["passes/ir", "runtime/include"],
    "passes/ir": ["runtime/include"],
    "frontend/model": ["frontend/config", "frontend/weights", "passes/ir"],
    "frontend/tokenizer": ["frontend/diag", "frontend/weights", "runtime/include"],
    "frontend/weights": ["frontend/diag", "frontend/config"],
    "frontend/config": ["frontend/diag"],
    "frontend/diag": [],
    "runtime/cli": ["runtime/core", "runtime/include"],
    "runtime/core": ["runtime/include"],
    "runtime/include": [],
}
# Outside headers that only these folders may include.
RESERVED = {
    "Halide.h": ["codegen/kernels", "codegen/formats", "codegen/targets", "tools/qwenc-kernel", "tests/kernels",
                 "tests/unit/codegen"],
    "mlir/": ["passes", "frontend/model", "codegen/emit", "tools/qwenc", "tools/qwenc-opt", "tests/unit", "tests/verify"],
    "llvm/": ["passes", "frontend/model", "codegen/emit", "tools/qwenc", "tools/qwenc-native", "tools/qwenc-opt", "tests/unit",
              "tests/verify"],
    "nlohmann/": ["frontend", "codegen/catalog", "codegen/emit", "runtime/cli", "tools", "tests"],
    "CLI/": ["runtime/cli", "tools"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
OURS = ("frontend/", "passes/", "codegen/", "runtime/", "tools/", "qwen/")


def folder_rule(path):
    best = max((folder for folder in ALLOWED if path.startswith(folder + "/")), key=len, default=None)
    return best


def within(path, folder):
    return folder == "" or path == folder or path.startswith(folder.rstrip("/") + "/")


def check_file(path):
    relative = path.relative_to(ROOT).as_posix()
    rule = folder_rule(relative)
    seen = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        for prefix, folders in RESERVED.items():
            if target.startswith(prefix):
                seen.add(prefix)
                if not any(within(relative, folder) for folder in folders):
                    yield f"{relative}:{number}: error: `{target}` may be included only from {', '.join(folders)}"
        if target.startswith(OURS) and rule is not None:
            place = "runtime/include/" + target if target.startswith("qwen/") else target
            if not within(place, rule) and not any(within(place, folder) for folder in ALLOWED[rule]):
                allowed = ", ".join(ALLOWED[rule]) or "nothing of ours"
                yield f"{relative}:{number}: error: {rule} includes `{target}`; it may include {allowed}"
    if "Halide.h" in seen and ({"mlir/", "llvm/"} & seen):
        yield f"{relative}:1: error: Halide.h and LLVM or MLIR headers in one translation unit"


def main():
    errors = []
    for pattern in ("*.h", "*.cpp", "*.c"):
        for top in ("frontend", "passes", "codegen", "runtime", "tools", "tests"):
            for path in sorted((ROOT / top).rglob(pattern)):
                errors += check_file(path)
    print("\n".join(errors) if errors else "layers: ok", file=sys.stderr if errors else sys.stdout)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
