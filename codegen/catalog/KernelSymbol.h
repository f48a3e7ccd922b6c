// KernelSymbol.h - the name of one compiled kernel: a complete build request
// that parses back.
//
// Grammar  qk_<kernel>__<options>__<dims>__<target>_<point>
//          options: option values joined by '_' in the kernel's declared order,
//          or "plain" when it has none dims:    <letters><number> joined by
//          '_', e.g. k896_n4864_m64_t1; t0 means T is a run-time argument
//          point:   'p' then knob values joined by 'x' in the space's declared
//          order, e.g. p64x16x4
// Example  qk_linear__q5g32_q8g32_bias__k896_n896_m64_t1__avx512_p4x2
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qwen {

struct KernelSymbol {
  std::string kernel;               // "linear_rope": the file's stem
  std::vector<std::string> options; // "q5g32", "q8g32", "bias"
  std::vector<std::pair<std::string, int64_t>>
      dims;                   // lower-case letters and values, in order
  std::string target;         // "avx512"
  std::vector<int64_t> point; // knob values, in the space's order

  std::string str() const;
  /// Nothing when `text` is not of the grammar; never throws.
  static std::optional<KernelSymbol> parse(std::string_view text);
  int64_t dim(std::string_view name) const; // -1 when absent
  bool has(std::string_view option) const;
};

} // namespace qwen
