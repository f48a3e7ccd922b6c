// BufferPlanner.cpp - live intervals and the packing of buffers into an arena.
#include "passes/transforms/BufferPlanner.h"

#include "passes/transforms/KernelCall.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>

namespace qwen {
namespace {

constexpr int64_t kQuantizedGroup = 32;

/// Row strides of the three buffers of quantised rows: i8 values, f32 scales,
/// i32 sums.
struct QuantizedRows {
  int64_t valueBytes, groupBytes;
  explicit QuantizedRows(ir::ActType type)
      : valueBytes(rowStride(type.getWidth())),
        groupBytes(rowStride(type.getWidth() / kQuantizedGroup) * 4) {}
};

} // namespace

BufferPlanner::BufferPlanner(mlir::func::FuncOp step, int64_t rows, bool keep)
    : rows(rows) {
  mlir::Block &body = step.getBody().front();
  outputs = llvm::cast<mlir::func::ReturnOp>(body.getTerminator());

  llvm::DenseMap<mlir::Operation *, int64_t> order, epoch;
  int64_t ops = 0, barriers = 0;
  for (mlir::Operation &op : body) {
    barriers += llvm::isa<ir::BarrierOp>(op);
    order[&op] = ops++;
    epoch[&op] = barriers;
  }

  std::vector<Buffer> shared, own;
  for (mlir::Operation &op : body) {
    if (!ir::isCompute(&op))
      continue;
    // Between two barriers threads run at their own pace, so a shared buffer is
    // live from barrier to barrier.
    bool isShared = ir::getPartition(&op).getMode() == ir::Mode::Shared;
    auto &time = isShared ? epoch : order;
    for (mlir::Value value : op.getResults()) {
      // A thread's own result stays where it is: there until the step returns.
      if (!ir::isRows(value.getType()) ||
          (isShared && llvm::is_contained(outputs.getOperands(), value)))
        continue;
      int64_t last = time[&op];
      llvm::SmallVector<mlir::Operation *> readers(value.getUsers());
      while (!readers.empty()) {
        mlir::Operation *reader = readers.pop_back_val();
        last = std::max(last, time[reader]);
        if (llvm::isa<ir::TailOp>(reader))
          llvm::append_range(readers, reader->getUsers());
      }
      if (keep)
        last = ops;
      (isShared ? shared : own)
          .push_back(
              {value, order[&op], bytesOf(value.getType()), time[&op], last});
    }
  }
  bytes[0] = pack(std::move(shared), ir::Arena::Arena);
  bytes[1] = pack(std::move(own), ir::Arena::Scratch);
}

int64_t BufferPlanner::bytesOf(mlir::Type type) const {
  int64_t room = rows + kSpareRows;
  if (auto act = llvm::dyn_cast<ir::ActType>(type)) {
    QuantizedRows sizes(act);
    return roundUp(room * sizes.valueBytes, kBufferAlignment) +
           2 * roundUp(room * sizes.groupBytes, kBufferAlignment);
  }
  auto tensor = llvm::cast<mlir::RankedTensorType>(type);
  int64_t rowElements =
      tensor.getRank() == 1 ? 1 : rowStride(tensor.getDimSize(1));
  return roundUp(room * rowElements * 4, kBufferAlignment);
}

int64_t BufferPlanner::pack(std::vector<Buffer> buffers, ir::Arena arena) {
  std::sort(buffers.begin(), buffers.end(),
            [](const Buffer &a, const Buffer &b) {
              return a.bytes != b.bytes ? a.bytes > b.bytes : a.index < b.index;
            });
  std::vector<std::pair<Buffer, int64_t>> placed; // by offset
  int64_t total = 0;
  for (const Buffer &buffer : buffers) {
    int64_t offset = 0;
    for (const auto &[other, otherOffset] : placed) {
      if (other.to < buffer.from || buffer.to < other.from)
        continue;
      if (offset + buffer.bytes <= otherOffset)
        break;
      offset = std::max(offset, otherOffset + other.bytes);
    }
    auto at = std::upper_bound(placed.begin(), placed.end(), offset,
                               [](int64_t offset, const auto &entry) {
                                 return offset < entry.second;
                               });
    placed.insert(at, {buffer, offset});
    total = std::max(total, offset + buffer.bytes);

    BufferPlace place{arena, offset, 0, 4};
    if (auto act = llvm::dyn_cast<ir::ActType>(buffer.value.getType())) {
      place.rowBytes = QuantizedRows(act).valueBytes;
      place.elementBytes = 1;
    } else {
      auto tensor = llvm::cast<mlir::RankedTensorType>(buffer.value.getType());
      place.rowBytes =
          tensor.getRank() == 1 ? 4 : rowStride(tensor.getDimSize(1)) * 4;
    }
    places[buffer.value] = place;
  }
  return total;
}

int64_t BufferPlanner::placeOutputs(int64_t argmaxOffset,
                                    int64_t logitsOffset) {
  int64_t stride = 0;
  for (mlir::Value output : outputs.getOperands()) {
    auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(output.getType());
    if (!tensor || !output.getDefiningOp() || places.contains(output))
      continue;
    if (tensor.getRank() == 1) {
      places[output] = {ir::Arena::Arena, argmaxOffset, 4, 4};
    } else {
      stride = rowStride(tensor.getDimSize(1));
      places[output] = {ir::Arena::Arena, logitsOffset, stride * 4, 4};
    }
  }
  return stride;
}

BufferPlace BufferPlanner::place(mlir::Value value,
                                 llvm::StringRef argument) const {
  BufferPlace place = places.lookup(value);
  auto act = llvm::dyn_cast<ir::ActType>(value.getType());
  if (!act || argument == "xq")
    return place;
  QuantizedRows sizes(act);
  int64_t room = rows + kSpareRows;
  place.offsetBytes += roundUp(room * sizes.valueBytes, kBufferAlignment);
  if (argument == "xsum")
    place.offsetBytes += roundUp(room * sizes.groupBytes, kBufferAlignment);
  place.rowBytes = sizes.groupBytes;
  place.elementBytes = 4;
  return place;
}

} // namespace qwen
