// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @score_floor(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 500 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8_0", "stored">
!f = tensor<?x1xf32>

func.func @score_floor_c1(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{not packed}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 500 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<128, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @score_floor_c1(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{x has width 128, the weight takes 256}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 500 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x500xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @score_floor_c2(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{the scores have width 500, not 512}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 500 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x2xf32>

func.func @score_floor_c2(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{the floor has width 2, not 1}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 500 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<1x1xf32>

func.func @score_floor_c2(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{has other rows than the scores}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 500 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @score_floor_c3(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{513 of 512 rows cannot be eligible}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 513 : i64} : (!c, !x, !w, index, index) -> !f
  return
}

// -----

!c = tensor<?x512xf32>
!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32s", "panel16">
!f = tensor<?x1xf32>

func.func @score_floor_c3(%c: !c, %x: !x, %w: !w, %r: index, %m: index) {
  // expected-error@+1 {{0 of 512 rows cannot be eligible}}
  %y = qwen.score_floor %c, %x, %w rank %r margin %m {eligible = 0 : i64} : (!c, !x, !w, index, index) -> !f
  return
}
