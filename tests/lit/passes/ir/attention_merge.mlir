// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

func.func @attention_merge(%parts: tensor<1x256xf32>, %p: index) {
  %y = qwen.attention_merge %parts, %p {heads = 4 : i64} : tensor<1x256xf32> -> tensor<1x64xf32>
  return
}

// -----

func.func @attention_merge_c1(%parts: tensor<1x256xf32>, %p: index) {
  // expected-error@+1 {{3 heads do not make rows of 64}}
  %y = qwen.attention_merge %parts, %p {heads = 3 : i64} : tensor<1x256xf32> -> tensor<1x64xf32>
  return
}

// -----

func.func @attention_merge_c1(%parts: tensor<1x256xf32>, %p: index) {
  // expected-error@+1 {{0 heads do not make rows of 64}}
  %y = qwen.attention_merge %parts, %p {heads = 0 : i64} : tensor<1x256xf32> -> tensor<1x64xf32>
  return
}

// -----

func.func @attention_merge_c2(%parts: tensor<1x192xf32>, %p: index) {
  // expected-error@+1 {{the parts have width 192, no multiple of 128}}
  %y = qwen.attention_merge %parts, %p {heads = 4 : i64} : tensor<1x192xf32> -> tensor<1x64xf32>
  return
}

// -----

func.func @attention_merge_c3(%parts: tensor<?x256xf32>, %p: index) {
  // expected-error@+1 {{parts is 'tensor<?x256xf32>', not one row}}
  %y = qwen.attention_merge %parts, %p {heads = 4 : i64} : tensor<?x256xf32> -> tensor<1x64xf32>
  return
}

// -----

func.func @attention_merge_c3(%parts: tensor<1x256xf32>, %p: index) {
  // expected-error@+1 {{the result is 'tensor<3x64xf32>', not one row}}
  %y = qwen.attention_merge %parts, %p {heads = 4 : i64} : tensor<1x256xf32> -> tensor<3x64xf32>
  return
}
