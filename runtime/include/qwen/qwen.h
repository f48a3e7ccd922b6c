/* qwen.h - the C ABI between an emitted model object and the runtime, and the
 * layout of a weights file.
 *
 * Plain C structures only: the one runtime header that the compiler side may
 * include too. */
#ifndef QWEN_QWEN_H
#define QWEN_QWEN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QWEN_ABI_VERSION 5u

/* What a thread of the team gets for one step. All threads of a step get equal
 * values but for `scratch` and `thread`. */
typedef struct qwen_step_args {
  const uint8_t *weights; /* start of the tensor section */
  uint8_t *cache;         /* key/value cache, plan->cache_bytes */
  uint8_t *arena;         /* shared activations, plan->arena_bytes */
  uint8_t *scratch;   /* this thread's own activations, plan->scratch_bytes */
  uint64_t *counters; /* plan->counters cells of 64 bytes, all zero when the
                         step starts; chunk claims */
  void *team;         /* handed to `barrier` */
  void (*barrier)(void *team, int64_t thread); /* returns when every thread has
                                                  arrived; full memory order */
  const int32_t *ids; /* [T] token ids, each in [0, V) */
  int64_t tokens;     /* T; 1 for decode, 1..plan->prefill_chunk for prefill */
  int64_t position;   /* tokens already in the cache; position + T <= context */
  int64_t logits_from;  /* first row, 0..T, whose logits are wanted; T -
                           logits_from <= plan->logits_rows */
  int64_t rank, margin; /* of a screened step's floor: see decode_screened */
  int64_t thread;       /* 0..threads-1 */
  int64_t threads;
} qwen_step_args;

typedef void (*qwen_step_fn)(const qwen_step_args *args);

/* The plan: every number the runtime needs, emitted beside the step functions
 * as `qwen_model_plan`, or, for every further target, as what `next` of the one
 * before points to. */
typedef struct qwen_plan {
  uint32_t abi_version;     /* QWEN_ABI_VERSION */
  uint32_t barrier_spin_us; /* how long a thread spins at a barrier before it
                               sleeps; 0: the runtime's default */
  uint8_t fingerprint[16]; /* hash of architecture, formats, shapes and offsets;
                              equal to the weights file's */
  const char *description; /* JSON text: spec, formats, target, activations,
                              kernels; shown by `info` */
  const char *target;      /* target name, "avx512" */
  const char *features;    /* comma separated CPU features the code needs:
                              "avx2,fma,f16c" */
  int64_t hidden_size, ffn_size, layers, query_heads, key_value_heads,
      head_width, vocab_size;
  int64_t context;       /* S: tokens the cache can hold */
  int64_t prefill_chunk; /* largest T of `prefill` */
  int64_t logits_rows;   /* rows of the logits buffer */
  int64_t arena_bytes, scratch_bytes, cache_bytes, weights_bytes, counters;
  int64_t logits_offset; /* in the arena: f32 [logits_rows, logits_stride], row
                            0 is position + logits_from */
  int64_t logits_stride; /* elements */
  int64_t argmax_offset; /* in the arena: i32 [logits_rows], the greedy token of
                            each logits row */
  int64_t decode_bytes;  /* weight bytes one decode step reads, for GB/s */
  int64_t cache_token_bytes;  /* cache bytes of one token over all layers */
  int64_t screened_bytes;     /* weight bytes one screened step reads whatever
                                 the token */
  int64_t rescored_row_bytes; /* weight bytes of one row of logits that a
                                 screened step computes */
  int64_t floor_offset;       /* in every thread's scratch: f32, the floor that
                                 a screened step leaves */
  qwen_step_fn decode;        /* T = 1 */
  qwen_step_fn prefill;       /* any T */
  qwen_step_fn decode_screened; /* T = 1: logits hold what `decode` gives, or
                                   minus infinity where that is below the floor.
                                   That is `margin` 256ths below a logit, so of
                                   margin 0 and rank 0 the token is `decode`'s;
                                   with another rank it is no lower than a guess
                                   that about so many reach. Null unless the
                                   head is screened */
  const char *taps; /* JSON text: by step, where each result lies when the step
                       ends; empty unless built with taps. "decode" and
                       "prefill" are arrays of {"name", "kernel", "rows": "all"
                       or "tail", "element", "width", "places": [{"arena",
                       "offset", "stride"} of bytes]}; "element" is f32, i32,
                       q8g32 (places of values, scales, sums), or key or value
                       with "cache": [S, G, C] and "cache_element" */
  const struct qwen_plan *next; /* the same model for a CPU with fewer features,
                                   with the same weights file; null: no other */
} qwen_plan;

extern const qwen_plan qwen_model_plan;

/* A weights file: this header, then sections, each at a multiple of 4096 bytes
 * from the header's start. Embedded in an executable, the same bytes start at a
 * multiple of 4096 and a `qwen_embedded_trailer` ends the file. */
#define QWEN_WEIGHTS_MAGIC "QWENWTS1"

enum qwen_section_kind {
  QWEN_SECTION_TENSORS = 0,   /* planes at the offsets the plan knows */
  QWEN_SECTION_TOKENIZER = 1, /* qwen_tokenizer_header; absent (bytes = 0) for a
                                 model without a tokenizer */
  QWEN_SECTION_GENERATION =
      2, /* JSON object, every key optional: "stop_ids" [i32], "chat_template"
          * text, and under generation_config's names "temperature", "top_k",
          * "top_p", "min_p", "repetition_penalty"; "packed_from" is the
          * compiler's: what the file was made from */
  QWEN_SECTION_COUNT = 3
};

typedef struct qwen_section {
  uint64_t offset, bytes;
} qwen_section;

typedef struct qwen_weights_header {
  char magic[8];
  uint32_t abi_version;
  uint32_t section_count;
  uint64_t file_bytes;
  uint8_t fingerprint[16];
  qwen_section sections[QWEN_SECTION_COUNT];
} qwen_weights_header;

typedef struct qwen_embedded_trailer {
  char magic[8];   /* "QWENEMB1" */
  uint64_t offset; /* of the qwen_weights_header in the executable */
  uint64_t bytes;
} qwen_embedded_trailer;

/* The tokenizer section. All offsets count bytes from the start of this header;
 * tables are 8-byte aligned. Token bytes are raw bytes (the byte-level alphabet
 * of the JSON is already undone). */
#define QWEN_TOKENIZER_MAGIC "QWENTOK1"
#define QWEN_MERGE_PROBES                                                      \
  64u /* a merge lies within so many slots of its hash, cyclically */

typedef struct qwen_tokenizer_header {
  char magic[8];        /* QWEN_TOKENIZER_MAGIC */
  uint32_t vocab_size;  /* tokens known to the tokenizer, added ones included:
                           ids beyond are padding rows */
  uint32_t merge_slots; /* power of two: slots of the merge hash table */
  uint32_t added_count;
  uint32_t normalization;   /* 0 none, 1 NFC */
  uint32_t byte_token[256]; /* id of each single byte */
  uint64_t token_offsets;   /* u32 [vocab_size + 1] into token_bytes */
  uint64_t token_bytes;
  uint64_t token_flags; /* u8 [vocab_size]: qwen_token_flag bits */
  uint64_t merges;      /* qwen_merge [merge_slots], linear probing from
                           qwen_merge_hash; left = UINT32_MAX is empty */
  uint64_t
      added; /* u32 [added_count] ids, longest text first: matched before BPE */
  uint64_t bytes; /* of the whole section */
} qwen_tokenizer_header;

enum qwen_token_flag {
  QWEN_TOKEN_ADDED = 1,   /* matched as a whole before BPE */
  QWEN_TOKEN_SPECIAL = 2, /* never shown to a reader */
  QWEN_TOKEN_UNUSED = 4   /* never sampled */
};

typedef struct qwen_merge {
  uint32_t left, right; /* token ids */
  uint32_t rank;        /* lower merges first */
  uint32_t merged;      /* token id of the pair */
} qwen_merge;

static inline uint32_t qwen_merge_hash(uint32_t left, uint32_t right,
                                       uint32_t slots) {
  uint64_t h = ((uint64_t)left << 32 | right) * 0x9E3779B97F4A7C15ull;
  return (uint32_t)(h >> 32) & (slots - 1);
}

#ifdef __cplusplus
}
#endif
#endif
