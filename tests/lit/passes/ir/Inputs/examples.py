"""Prints the example of every op of the .td files as one module: operands that an example does not define become function
arguments of the types that it spells out."""

import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[5] / "passes" / "ir"
TYPE = re.compile(r'!qwen\.\w+<(?:"[^"]*"|[^">])*>|tensor<[^>]*>|index')


def examples():
    for path in sorted(FOLDER.glob("Qwen*Ops.td")):
        text = path.read_text(encoding="utf-8")
        for op in re.finditer(r"\ndef Qwen_\w+Op\b.*?(?=\ndef |\nclass |\Z)", text, re.S):
            blocks = re.findall(r"```mlir\n(.*?)```", op.group(0), re.S)
            mnemonic = re.search(r'<"(\w+)"', op.group(0)).group(1)
            if len(blocks) != 1:
                sys.exit(f"{path.name}: `{mnemonic}` has {len(blocks)} examples, not 1")
            yield mnemonic, blocks[0]


def operand_types(body, arguments):
    """The type of each argument: positions are indices, the rest follows the order of the types after the colon."""
    if "qwen.embedding" in body:
        return ["tensor<?xi32>", *TYPE.findall(body.split(" : ", 1)[1])[1:2]]
    types = TYPE.findall(body.rsplit(" : ", 1)[1])
    explicit = iter(types)
    shared = types[0]
    return [name in ("%position", "%first") and "index" or next(explicit, shared) for name in arguments]


def main():
    for mnemonic, body in examples():
        if "%" not in body or "qwen.step" in body:
            print(f"module @{mnemonic} {{\n{body}}}" if "%" not in body else body)
            continue
        names = list(dict.fromkeys(re.findall(r"%\w+", body.split(" = ", 1)[1])))
        types = operand_types(body, names)
        signature = ", ".join(f"{name}: {kind}" for name, kind in zip(names, types))
        print(f"func.func @{mnemonic}({signature}) {{\n{body}  return\n}}")


main()
