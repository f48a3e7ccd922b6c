// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @linear_rescore(%c: !c, %f: !f, %x: !x, %w: !w) {
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8_0", "stored">
!f = tensor<?x1xf32>

func.func @linear_rescore_c1(%c: !c, %f: !f, %x: !x, %w: !w) {
  // expected-error@+1 {{not packed}}
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<128, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @linear_rescore_c1(%c: !c, %f: !f, %x: !x, %w: !w) {
  // expected-error@+1 {{x has width 128, the weight takes 256}}
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!c1 = tensor<1x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @linear_rescore_c2(%c: !c, %f: !f, %x: !x, %w: !w) {
  // expected-error@+1 {{the coarse scores are}}
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c1
  return
}

// -----

!c = tensor<?x500xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @linear_rescore_c2(%c: !c, %f: !f, %x: !x, %w: !w) {
  // expected-error@+1 {{the scores have width 500, not 512}}
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x2xf32>

func.func @linear_rescore_c3(%c: !c, %f: !f, %x: !x, %w: !w) {
  // expected-error@+1 {{the floor has width 2, not 1}}
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<1x1xf32>

func.func @linear_rescore_c3(%c: !c, %f: !f, %x: !x, %w: !w) {
  // expected-error@+1 {{has other rows than the scores}}
  %y = qwen.linear_rescore %c, %f, %x, %w : (!c, !f, !x, !w) -> !c
  return
}
