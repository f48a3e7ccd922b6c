// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">

func.func @linear_coarse(%x: !x, %w: !w) {
  %y = qwen.linear_coarse %x, %w : (!x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8_0", "stored">

func.func @linear_coarse_c1(%x: !x, %w: !w) {
  // expected-error@+1 {{not packed}}
  %y = qwen.linear_coarse %x, %w : (!x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<128, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">

func.func @linear_coarse_c1(%x: !x, %w: !w) {
  // expected-error@+1 {{x has width 128, the weight takes 256}}
  %y = qwen.linear_coarse %x, %w : (!x, !w) -> !c
  return
}

// -----

!c = tensor<?x500xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">

func.func @linear_coarse_c2(%x: !x, %w: !w) {
  // expected-error@+1 {{the scores have width 500, not 512}}
  %y = qwen.linear_coarse %x, %w : (!x, !w) -> !c
  return
}
