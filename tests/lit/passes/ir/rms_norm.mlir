// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>
!head = !qwen.weight<[16], "f32", "vec">

func.func @rms_norm(%x: !x, %w: !head) {
  %y = qwen.rms_norm %x, %w {eps = 1.0e-06 : f64, heads = 4 : i64} : !x, !head
  return
}

// -----

!x = tensor<?x64xf32>
!w = !qwen.weight<[32, 64], "bf16", "stored">

func.func @rms_norm_c1(%x: !x, %w: !w) {
  // expected-error@+1 {{not a `vec`}}
  %y = qwen.rms_norm %x, %w {eps = 1.0e-06 : f64, heads = 1 : i64} : !x, !w
  return
}

// -----

!x = tensor<?x64xf32>
!head = !qwen.weight<[16], "f32", "vec">

func.func @rms_norm_c2(%x: !x, %w: !head) {
  // expected-error@+1 {{1 heads of width 16 do not make rows of 64}}
  %y = qwen.rms_norm %x, %w {eps = 1.0e-06 : f64, heads = 1 : i64} : !x, !head
  return
}

// -----

!x = tensor<?x64xf32>
!head = !qwen.weight<[16], "f32", "vec">

func.func @rms_norm_c2(%x: !x, %w: !head) {
  // expected-error@+1 {{-4 heads}}
  %y = qwen.rms_norm %x, %w {eps = 1.0e-06 : f64, heads = -4 : i64} : !x, !head
  return
}

// -----

!x = tensor<?x64xf32>
!vec = !qwen.weight<[64], "f32", "vec">

func.func @rms_norm_c3(%x: !x, %w: !vec) {
  // expected-error@+1 {{not positive}}
  %y = qwen.rms_norm %x, %w {eps = 0.0 : f64, heads = 1 : i64} : !x, !vec
  return
}
