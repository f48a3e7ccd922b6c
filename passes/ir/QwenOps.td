// QwenOps.td - the whole op set, for tablegen runs that need all of it.
#ifndef QWEN_OPS_TD
#define QWEN_OPS_TD

include "passes/ir/QwenGraphOps.td"
include "passes/ir/QwenFusedOps.td"
include "passes/ir/QwenScreenOps.td"
include "passes/ir/QwenSplitOps.td"
include "passes/ir/QwenPlanOps.td"

#endif
