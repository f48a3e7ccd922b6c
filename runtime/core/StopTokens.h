// StopTokens.h - the ids that end an answer.
#ifndef QWEN_RUNTIME_CORE_STOPTOKENS_H
#define QWEN_RUNTIME_CORE_STOPTOKENS_H

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace qwen {

class StopTokens {
public:
  StopTokens() = default;
  explicit StopTokens(std::vector<int32_t> ids) : ids_(std::move(ids)) {}

  void add(int32_t id) { ids_.push_back(id); }
  bool contains(int32_t id) const {
    return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
  }
  const std::vector<int32_t> &ids() const { return ids_; }

private:
  std::vector<int32_t> ids_;
};

} // namespace qwen

#endif
