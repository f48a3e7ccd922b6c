"""The models that parity is held on: shapes, storage and seed of each; the numbers come from checkpoint.py."""


def qwen(model_type, *, D, F, L, H, G, C, tied, V=384, positions=256, spelling=4, theta=1e6, eps=1e-6, dtype="float32"):
    """A config.json in the keys of transformers 4 or 5 (`spelling`)."""
    config = {
        "architectures": [{"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}[model_type]],
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "hidden_size": D,
        "initializer_range": 0.02,
        "intermediate_size": F,
        "max_position_embeddings": positions,
        "model_type": model_type,
        "num_attention_heads": H,
        "num_hidden_layers": L,
        "num_key_value_heads": G,
        "rms_norm_eps": eps,
        "tie_word_embeddings": tied,
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": V,
    }
    if model_type == "qwen3":
        config["attention_bias"] = False
        config["head_dim"] = C
    if spelling == 4:
        config |= {"rope_scaling": None, "rope_theta": theta, "torch_dtype": dtype, "sliding_window": None}
        config["transformers_version"] = "4.51.0"
    else:
        config |= {"rope_parameters": {"rope_theta": theta, "rope_type": "default"}, "dtype": dtype}
        config["transformers_version"] = "5.0.0"
    return config


# `types` gives the stored type of each kind of tensor (checkpoint.shaped); `tokens` is the length of the golden.
TINY = {
    "qwen2_tied": {
        "seed": 1,
        "tokens": 72,
        "types": {"*": "bf16"},
        "config": qwen("qwen2", D=64, F=96, L=2, H=2, G=1, C=32, tied=True, dtype="bfloat16"),
    },
    "qwen2_untied": {
        "seed": 2,
        "tokens": 24,
        "types": {"*": "f32"},
        "config": qwen("qwen2", D=128, F=160, L=3, H=2, G=2, C=64, tied=False, spelling=5, theta=1e4),
    },
    "qwen2_groups_of_7": {
        "seed": 3,
        "tokens": 24,
        "types": {"*": "f16"},
        "config": qwen("qwen2", D=448, F=96, L=1, H=14, G=2, C=32, tied=True, eps=1e-5, dtype="float16"),
    },
    "qwen3_tied": {
        "seed": 4,
        "tokens": 72,
        "shards": 3,
        "types": {"*": "bf16"},
        "config": qwen("qwen3", D=96, F=160, L=2, H=4, G=2, C=128, tied=True, spelling=5, dtype="bfloat16"),
    },
    "qwen3_untied": {
        "seed": 5,
        "tokens": 72,
        "types": {"*": "bf16", "norm": "f32"},
        "config": qwen("qwen3", D=64, F=128, L=2, H=7, G=1, C=64, tied=False, dtype="bfloat16"),
    },
    "qwen3_narrow": {
        "seed": 6,
        "tokens": 24,
        "types": {"*": "f32"},
        "config": qwen("qwen3", D=160, F=96, L=3, H=3, G=3, C=32, tied=False, theta=5e6),
    },
    "qwen3_groups_of_7": {
        "seed": 7,
        "tokens": 24,
        "types": {"*": "bf16"},
        "config": qwen("qwen3", D=96, F=96, L=1, H=7, G=1, C=128, tied=True, spelling=5, dtype="bfloat16"),
    },
}

# Prompts over several blocks of the cache and more than one chunk: the golden keeps the last rows only.
LONG = {"qwen2_tied": 200, "qwen3_tied": 240}
LONG_ROWS = 6


def quantised(seed, types, model_type="qwen2", tied=True, **shape):
    shape = {"D": 256, "F": 256, "L": 1, "H": 4, "G": 2, "C": 64} | shape
    return {"seed": seed, "tokens": 12, "types": types, "config": qwen(model_type, tied=tied, **shape)}


# One file for each stored type, and two that mix them as real files do, with a head that is a matrix of its own.
GGUF = {
    name: quantised(20 + i, {"*": name})
    for i, name in enumerate(("f32", "f16", "bf16", "q8_0", "q4_0", "q5_0", "q4_k", "q5_k", "q6_k"))
} | {
    "mixed_qwen2": quantised(
        40, {"*": "q4_k", "embedding": "q5_0", "head": "q8_0", "query": "q5_0", "down": "q6_k"}, tied=False, L=2
    ),
    "mixed_qwen3": quantised(
        41, {"*": "q5_k", "embedding": "q6_k", "head": "q4_0", "query": "q4_k", "down": "q8_0"}, "qwen3", tied=False, C=128
    ),
}

# Qwen2.5-0.5B with one layer and room for ten tokens.
SEED_CASE = {
    "seed": 100,
    "tokens": 10,
    "types": {"*": "bf16"},
    "config": qwen(
        "qwen2", D=896, F=4864, L=1, H=14, G=2, C=64, tied=True, V=151936, positions=32768, dtype="bfloat16"
    ),
}
