// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{quantised rows are q8g32, got `q8g64`}}
func.func private @act_type_c1(!qwen.act<64, "q8g64">)

// -----

// expected-error@+1 {{the width of q8g32 rows is a positive multiple of 32, got 48}}
func.func private @act_type_c2(!qwen.act<48, "q8g32">)
