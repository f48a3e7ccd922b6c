"""Writes checkpoints whose numbers come from a counter, so that a golden needs no weights beside it.

Numerics: value i of tensor `name` depends on (seed, name, i) alone, with integer arithmetic and one rounding.
Source: safetensors format description; GGUF v3 specification and block layouts (ggml)
"""

import json
import math
import struct
import zlib

import numpy as np

SAFETENSORS_TYPES = {"f32": "F32", "f16": "F16", "bf16": "BF16"}
GGML_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q5_0": 6, "q8_0": 8, "q4_k": 12, "q5_k": 13, "q6_k": 14, "bf16": 30}

# Elements of a block, bytes before the f16 fields, f16 fields as (factor of the amplitude, sign may be negative), bytes
# after. The factor is 1 / (root mean square of the integer part), so a weight's root mean square is near the amplitude's.
GGML_BLOCKS = {
    "q4_0": (32, 0, ((1 / 4.6, True),), 16),
    "q5_0": (32, 0, ((1 / 9.2, True),), 20),
    "q8_0": (32, 0, ((1 / 74, False),), 32),
    "q4_k": (256, 0, ((1 / 166, False), (7.5 / 166, False)), 140),
    "q5_k": (256, 0, ((1 / 331, False), (15.5 / 331, False)), 172),
    "q6_k": (256, 208, ((1 / 1370, True),), 0),
}


def hashed(seed, name, count, start=0):
    """u32 [count]: a well mixed word for each of the indices start.. of a named stream."""
    x = np.arange(start, start + count, dtype=np.uint32)
    x *= np.uint32(0x9E3779B9)
    x += np.uint32(zlib.crc32(f"{seed}/{name}".encode()))
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x


def to_bf16(values):
    """u16: f32 values rounded to nearest even, none of them NaN."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(words):
    return (np.asarray(words, dtype=np.uint32) << 16).view(np.float32)


def power_of_two(x):
    return 2.0 ** round(math.log2(x))


def shaped(kind, width, u):
    """f64: maps u, uniform in (-1, 1), to a tensor's values; `width` is the length of a row."""
    if kind == "norm":
        return 1 + u / 2
    if kind == "bias":
        return u
    gain = {"embedding": 3, "query": 1.5, "linear": 1, "down": 2}[kind]
    return u * power_of_two(gain * math.sqrt(3 / width))


def stored(seed, name, shape, kind, stored_type):
    """The tensor as stored: f32, f16, u16 (bf16) of `shape`, or u8 (GGUF blocks)."""
    count = int(np.prod(shape))
    width = shape[-1]
    if stored_type == "f32":
        u = (hashed(seed, name, count).astype(np.float64) + 0.5) / 2.0**31 - 1
        return shaped(kind, width, u).astype(np.float32).reshape(shape)
    if stored_type in ("f16", "bf16"):
        # Each word of the stream gives 2 values of 65536 levels, or 4 of 256, looked up in a table of rounded values.
        bits = 16 if stored_type == "f16" else 8
        levels = 1 << bits
        table = shaped(kind, width, (2 * np.arange(levels) + 1 - levels) / levels)
        table = table.astype(np.float16) if stored_type == "f16" else to_bf16(table)
        words = hashed(seed, name, -(-count * bits // 32)).astype("<u4")
        return table[words.view(f"<u{bits // 8}")[:count]].reshape(shape)
    return blocks(seed, name, count, float(np.std(shaped(kind, width, np.linspace(-1, 1, 257)))), stored_type)


def blocks(seed, name, count, amplitude, stored_type):
    """u8 [blocks, block bytes]: every byte random but the f16 scales, which are kept in a useful range."""
    elements, before, scales, after = GGML_BLOCKS[stored_type]
    rows = count // elements
    size = before + 2 * len(scales) + after
    out = hashed(seed, name, -(-rows * size // 4)).astype("<u4").view(np.uint8)[: rows * size].reshape(rows, size).copy()
    for i, (factor, signed) in enumerate(scales):
        words = hashed(seed, f"{name}/scale{i}", rows)
        value = amplitude * factor * (0.5 + (words >> np.uint32(8)) / 2.0**24)
        if signed:
            value = np.where(words & np.uint32(1), -value, value)
        at = before + 2 * i
        out[:, at : at + 2] = value.astype("<f2").view(np.uint8).reshape(rows, 2)
    return out


def tensors(config):
    """[(HF name, GGUF name, shape, kind)] of a dense qwen2 or qwen3 model, in file order."""
    d, f, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    h, g = config["num_attention_heads"], config["num_key_value_heads"]
    c = config.get("head_dim") or d // h
    rows = [("model.embed_tokens.weight", "token_embd.weight", (v, d), "embedding")]
    for i in range(config["num_hidden_layers"]):
        hf, gguf = f"model.layers.{i}.", f"blk.{i}."

        def add(a, b, shape, kind):
            rows.append((hf + a, gguf + b, shape, kind))

        add("input_layernorm.weight", "attn_norm.weight", (d,), "norm")
        for x, heads, kind in (("q", h, "query"), ("k", g, "query"), ("v", g, "linear")):
            add(f"self_attn.{x}_proj.weight", f"attn_{x}.weight", (heads * c, d), kind)
            if config["model_type"] == "qwen2":
                add(f"self_attn.{x}_proj.bias", f"attn_{x}.bias", (heads * c,), "bias")
        if config["model_type"] == "qwen3":
            for x in "qk":
                add(f"self_attn.{x}_norm.weight", f"attn_{x}_norm.weight", (c,), "norm")
        add("self_attn.o_proj.weight", "attn_output.weight", (d, h * c), "linear")
        add("post_attention_layernorm.weight", "ffn_norm.weight", (d,), "norm")
        add("mlp.gate_proj.weight", "ffn_gate.weight", (f, d), "linear")
        add("mlp.up_proj.weight", "ffn_up.weight", (f, d), "linear")
        add("mlp.down_proj.weight", "ffn_down.weight", (d, f), "down")
    rows.append(("model.norm.weight", "output_norm.weight", (d,), "norm"))
    if not config["tie_word_embeddings"]:
        rows.append(("lm_head.weight", "output.weight", (v, d), "embedding"))
    return rows


def safetensors_type(array):
    return {"float32": "f32", "float16": "f16", "uint16": "bf16"}[array.dtype.name]


def write_safetensors(path, arrays):
    """Writes {name: f32, f16 or u16 (bf16) array} as one safetensors file."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": SAFETENSORS_TYPES[safetensors_type(array)],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).data)


def write_sharded(folder, arrays, shards):
    """Writes the arrays over `shards` safetensors files with an index."""
    names = list(arrays)
    where = {name: f"model-{i * shards // len(names) + 1:05}-of-{shards:05}.safetensors" for i, name in enumerate(names)}
    for file in sorted(set(where.values())):
        write_safetensors(folder / file, {n: arrays[n] for n in names if where[n] == file})
    total = sum(a.nbytes for a in arrays.values())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def model_arrays(model):
    """{HF name: array} of a row of models.py."""
    types = model["types"]
    return {
        name: stored(model["seed"], name, shape, kind, types.get(kind, types["*"]))
        for name, _, shape, kind in tensors(model["config"])
    }


def write_model(folder, model):
    """Writes a row of models.py as a Hugging Face directory; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(model["config"], indent=2) + "\n")
    arrays = model_arrays(model)
    if model.get("shards", 1) > 1:
        write_sharded(folder, arrays, model["shards"])
    else:
        write_safetensors(folder / "model.safetensors", arrays)
    return folder


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(value):
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_string(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<II", 4, value)


def gguf_metadata(config):
    arch = config["model_type"]
    c = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
    return {
        "general.architecture": arch,
        "general.name": "counter",
        f"{arch}.block_count": config["num_hidden_layers"],
        f"{arch}.context_length": config["max_position_embeddings"],
        f"{arch}.embedding_length": config["hidden_size"],
        f"{arch}.feed_forward_length": config["intermediate_size"],
        f"{arch}.attention.head_count": config["num_attention_heads"],
        f"{arch}.attention.head_count_kv": config["num_key_value_heads"],
        f"{arch}.attention.key_length": c,
        f"{arch}.attention.value_length": c,
        f"{arch}.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        f"{arch}.rope.freq_base": float(theta),
    }


def write_gguf(path, model, metadata=None, changes={}):
    """Writes a row of models.py as a GGUF v3 file: 1-D tensors are f32, the others have the type of their kind.

    `changes` gives functions, by GGUF name, that may change the rows of stored bytes in place.
    """
    metadata = gguf_metadata(model["config"]) if metadata is None else metadata
    types, infos, payload = model["types"], b"", []
    offset = 0
    rows = tensors(model["config"])
    for name, gguf_name, shape, kind in rows:
        # A head that is a matrix of its own may have its own type.
        lookup = "head" if gguf_name == "output.weight" and "head" in types else kind
        stored_type = "f32" if len(shape) == 1 else types.get(lookup, types["*"])
        data = stored(model["seed"], name, shape, kind, stored_type)
        infos += gguf_string(gguf_name) + struct.pack("<I", len(shape))
        infos += struct.pack(f"<{len(shape)}Q", *reversed(shape))
        infos += struct.pack("<IQ", GGML_TYPES[stored_type], offset)
        if gguf_name in changes:
            changes[gguf_name](data.reshape(shape[0], -1))
        data = np.ascontiguousarray(data).tobytes()
        data += bytes(-len(data) % 32)
        payload.append(data)
        offset += len(data)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(rows), len(metadata))
    head += b"".join(gguf_string(k) + gguf_value(v) for k, v in metadata.items())
    head += infos
    head += bytes(-len(head) % 32)
    path.write_bytes(head + b"".join(payload))
    return path


def prompt(seed, vocabulary, count):
    """i32 [count]: token ids."""
    return (hashed(seed, "prompt", count) % np.uint32(vocabulary)).astype(np.int32)
