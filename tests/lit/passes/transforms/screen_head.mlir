// RUN: qwenc-opt %s --qwen-screen-head=mode=on | FileCheck %s
// RUN: qwenc-opt %s --qwen-screen-head | FileCheck %s --check-prefix=SMALL
// RUN: qwenc-opt %s --qwen-screen-head=mode=off | FileCheck %s --check-prefix=SMALL
// RUN: qwenc-opt %s --qwen-screen-head=mode=on | sed 's/q8g32s/q5g32/g' | not qwenc-opt --qwen-screen-head=mode=on 2>&1 | FileCheck %s --check-prefix=REFUSED

!x = !qwen.act<256, "q8g32">
!w = !qwen.weight<[512, 256], "q8g32", "panel16">
!y = tensor<?x512xf32>
!ids = tensor<?xi32>

// Every step reads the one weight.
// CHECK-LABEL: func.func @decode(
// CHECK: qwen.weight "lm_head.weight" : <[512, 256], "q8g32s", "panel16">
// CHECK: qwen.linear %
// CHECK: qwen.argmax
// CHECK-LABEL: func.func @decode_screened(
// CHECK-SAME: %[[X:[a-z0-9]+]]: !qwen.act<256, "q8g32">, %[[R:[a-z0-9]+]]: index, %[[M:[a-z0-9]+]]: index
// CHECK-SAME: -> (tensor<?xi32>, tensor<?x512xf32>, tensor<?x1xf32>)
// CHECK: %[[W:.*]] = qwen.weight "lm_head.weight" : <[512, 256], "q8g32s", "panel16">
// CHECK-NOT: qwen.linear %
// CHECK: %[[C:.*]] = qwen.linear_coarse %[[X]], %[[W]]
// CHECK: %[[F:.*]] = qwen.score_floor %[[C]], %[[X]], %[[W]] rank %[[R]] margin %[[M]] {eligible = 500 : i64}
// CHECK: %[[Y:.*]] = qwen.linear_rescore %[[C]], %[[F]], %[[X]], %[[W]]
// CHECK: %[[ID:.*]] = qwen.argmax %[[Y]] {eligible = 500 : i64}
// CHECK: return %[[ID]], %[[Y]], %[[F]]
// CHECK-LABEL: func.func @prefill(
// CHECK: qwen.weight "lm_head.weight" : <[512, 256], "q8g32s", "panel16">
// CHECK: qwen.linear %

// SMALL-NOT: q8g32s
// SMALL-NOT: @decode_screened

// REFUSED: error: the head cannot be screened: no coarse copy gives the scores of format `q5g32` with its activations
func.func @decode(%x: !x) -> (!ids, !y) {
  %w = qwen.weight "lm_head.weight" : !w
  %y = qwen.linear %x, %w : (!x, !w) -> !y
  %id = qwen.argmax %y {eligible = 500 : i64} : !y -> !ids
  return %id, %y : !ids, !y
}

func.func @prefill(%x: !x) -> (!ids, !y) {
  %w = qwen.weight "lm_head.weight" : !w
  %y = qwen.linear %x, %w : (!x, !w) -> !y
  %id = qwen.argmax %y {eligible = 500 : i64} : !y -> !ids
  return %id, %y : !ids, !y
}
