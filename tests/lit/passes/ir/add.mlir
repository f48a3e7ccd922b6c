// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>

func.func @add(%a: !x, %b: !x) {
  %y = qwen.add %a, %b : !x
  return
}
