// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{a cache has three positive dimensions, the first a multiple of 64, got [100, 2, 64]}}
func.func private @cache_type_c1(!qwen.cache<[100, 2, 64], "f16">)

// -----

// expected-error@+1 {{a cache has three positive dimensions}}
func.func private @cache_type_c1(!qwen.cache<[64, 64], "f16">)

// -----

// expected-error@+1 {{a cache holds f32, f16, int16 or int8, got `bf16`}}
func.func private @cache_type_c2(!qwen.cache<[64, 2, 64], "bf16">)
