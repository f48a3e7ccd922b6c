// RUN: qwenc-opt %s -split-input-file -verify-diagnostics

!x = tensor<?x64xf32>

func.func @swiglu(%g: !x, %u: !x) {
  %y = qwen.swiglu %g, %u : !x
  return
}
