"""tokenizer.json files in Qwen2's form: trained on a text, or rebuilt from a GGUF's metadata."""

import json

import tokenizers

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def qwen2(vocabulary, merges, added):
    """The content of a tokenizer.json; `added` lists (id, text, special)."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": id,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": special,
            }
            for id, text, special in added
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
                BYTE_LEVEL,
            ],
        },
        "post_processor": BYTE_LEVEL,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def train(texts, size, added):
    """Of exactly `size` tokens; the last are `added`, pairs of text and whether it is special."""
    empty = qwen2({}, [], [])
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(empty))
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size - len(added),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    base = len(model["vocab"])
    assert base == size - len(added), f"the text gives {base} tokens"
    return qwen2(model["vocab"], model["merges"], [(base + i, text, special) for i, (text, special) in enumerate(added)])


def from_gguf(path):
    import gguf

    fields = gguf.GGUFReader(path).fields
    names, types, merges = (
        fields["tokenizer.ggml." + key].contents() for key in ("tokens", "token_type", "merges")
    )
    vocabulary = {name: id for id, (name, type) in enumerate(zip(names, types)) if type == 1}
    added = [(id, name, type == 3) for id, (name, type) in enumerate(zip(names, types)) if type in (3, 4)]
    return qwen2(vocabulary, [merge.split(" ", 1) for merge in merges], added)


def write(content, path):
    """Indented, but a merge a line."""
    merges = content["model"]["merges"]
    shown = dict(content, model=dict(content["model"], merges=["MERGES"]))
    text = json.dumps(shown, ensure_ascii=False, indent=1)
    lines = ",\n   ".join(json.dumps(merge, ensure_ascii=False) for merge in merges)
    path.write_text(text.replace('"MERGES"', lines) + "\n")
