#!/usr/bin/env python3
"""Checks the chains of names: op constraints (doc = verifier = test), pass = file = test, diagnostic = test folder."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def read(pattern):
    return {path: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern))}


def op_constraints():
    """Yields an error for each constraint label that is not in all of: ODS text, verifier, test."""
    documented, verified, tested = set(), set(), set()
    for text in read("passes/ir/*.td").values():
        for op in re.finditer(r'def Qwen_\w+Op\s*:\s*\w+<(?:\s*Qwen_Dialect\s*,\s*)?"([a-z_]+)"(.*?)(?=\ndef |\Z)', text, re.S):
            documented |= {f"{op.group(1)}_c{number}" for number in re.findall(r"\*\s*\(C(\d+)\)", op.group(2))}
        # A type's labels say that they are a type's: an op may have its name.
        for kind in re.finditer(r'def Qwen_\w+\s*:\s*Qwen_(Type|Attr)<"\w+", "([a-z_]+)">(.*?)(?=\ndef |\Z)', text, re.S):
            name = kind.group(2) + ("_type" if kind.group(1) == "Type" else "")
            documented |= {f"{name}_c{number}" for number in re.findall(r"\*\s*\(C(\d+)\)", kind.group(3))}
    for text in read("passes/ir/*.cpp").values():
        verified |= set(re.findall(r"\b([a-z_]+_c\d+)\b", text))
    for path, text in read("tests/lit/passes/ir/*.mlir").items():
        tested |= set(re.findall(r"@([a-z_]+_c\d+)", text))
    for label in sorted(documented | verified | tested):
        places = [name for name, labels in (("ODS", documented), ("verifier", verified), ("test", tested)) if label not in labels]
        if places:
            yield f"passes/ir: error: constraint `{label}` is missing in: {', '.join(places)}"


def passes():
    for text in read("passes/transforms/Passes.td").values():
        for name, flag in re.findall(r'def (\w+?)(?:Pass)?\s*:\s*Pass<\s*"qwen-([a-z0-9-]+)"', text):
            if flag != snake(name).replace("_", "-"):
                yield f"passes/transforms/Passes.td: error: pass `{name}` has the flag `qwen-{flag}`"
            if not (ROOT / f"passes/transforms/{name}.cpp").exists():
                yield f"passes/transforms/Passes.td: error: `{name}` has no passes/transforms/{name}.cpp"
            if not (ROOT / f"tests/lit/passes/transforms/{snake(name)}.mlir").exists():
                yield f"passes/transforms/Passes.td: error: `{name}` has no tests/lit/passes/transforms/{snake(name)}.mlir"


def kernels():
    for path, text in read("codegen/kernels/[a-z]*.cpp").items():
        if not re.search(rf"Kernel (kernels::)?{path.stem}\(", text):
            yield f"{path.relative_to(ROOT)}: error: does not define `kernels::{path.stem}()`"


def main():
    errors = [*op_constraints(), *passes(), *kernels()]
    print("\n".join(errors) if errors else "names: ok", file=sys.stderr if errors else sys.stdout)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
