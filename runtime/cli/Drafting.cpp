// Drafting.cpp - row and meaning of the drafting option.
#include "runtime/cli/Drafting.h"

#include <algorithm>

namespace qwen {

OptionRow DraftingOptions::row() {
  return {"--prompt-lookup", &mode,
          "draft tokens from what the text repeats: off, auto (while it pays) "
          "or always; the tokens are the same"};
}

Result<PromptLookup> DraftingOptions::lookup(const qwen_plan &plan) const {
  PromptLookup::When when;
  if (mode == "off")
    when = PromptLookup::When::kNever;
  else if (mode == "auto")
    when = PromptLookup::When::kWhileItPays;
  else if (mode == "always")
    when = PromptLookup::When::kAlways;
  else
    return Status::invalid(
        "--prompt-lookup is `%s`; it is one of off, auto, always",
        mode.c_str());
  return PromptLookup(plan.context,
                      std::min(plan.logits_rows, plan.prefill_chunk), when);
}

} // namespace qwen
