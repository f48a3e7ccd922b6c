// PackedWeights.cpp - planes to values, and values against the checkpoint.
#include "tools/qwenc/verify/PackedWeights.h"

#include "codegen/emit/OutputFile.h"
#include "frontend/weights/Dequantize.h"
#include "passes/reference/Arithmetic.h"
#include "passes/transforms/WeightLayout.h"
#include "qwen/qwen.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace qwen::verify {
namespace {

constexpr int64_t kPanel = 16;
constexpr int64_t kBlock = 32;
constexpr int64_t kShared = 16; // columns that share scale and minimum

template <typename T> T load(const uint8_t *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

/// One row of 16 of a panel, plane by plane.
class PanelRow {
public:
  PanelRow(const uint8_t *weight, const WeightLayout &layout, int64_t inner,
           int64_t n)
      : n(n % kPanel) {
    for (const PlanePlace &place : layout.planes)
      planes.push_back({place.name[0], place.plane->group,
                        place.plane->blockBytes, place.plane->pitchBytes,
                        place.plane->element,
                        weight + place.offsetBytes +
                            n / kPanel * (inner / place.plane->group) *
                                place.plane->pitchBytes});
  }

  /// Adds the values of all columns; f32 arithmetic, as the stored types are
  /// defined.
  void append(int64_t inner, std::vector<double> &values) const {
    if (const Plane *w = find('w')) {
      for (int64_t k = 0; k < inner; ++k)
        values.push_back(direct(*w, k));
      return;
    }
    const Plane *c = find('c'), *m = find('m'), *h = find('h');
    const Plane &q = lowBits();
    const int zero = zeroPoint();
    for (int64_t begin = 0; begin < inner; begin += kShared) {
      float scale = half('s', begin, 1) * half('d', begin, 1);
      if (c)
        scale *= c->element == "i8" ? float(int8_t(scaleByte(*c, begin)))
                                    : float(scaleByte(*c, begin));
      float least = m ? half('e', begin, 0) * float(at(*m, begin)[n]) : 0;
      for (int64_t k = begin; k < begin + kShared; ++k) {
        float value = scale * float(quant(q, h, k) - zero);
        values.push_back(m ? value - least : value);
      }
    }
  }

  /// Columns that one bound of the coarse copy is for; 0 without a copy.
  int64_t boundColumns() const {
    const Plane *b = find('b');
    return b ? b->group : 0;
  }
  float bound(int64_t k) const {
    return bfloatToFloat(load<uint16_t>(at(*find('b'), k) + 2 * n));
  }
  /// What a bound must reach: ‖r‖ + γ (‖w‖ + ‖c‖ + ‖7.5 s‖) over its columns.
  /// Source: ARCHITECTURE.md, "The screened head".
  double leastBound(int64_t begin, int64_t inner) const {
    const Plane &q = lowBits(), *h = find('h');
    double residual = 0, value = 0, coarse = 0, middle = 0;
    for (int64_t k = begin; k < begin + boundColumns(); ++k) {
      const double scale = half('s', k, 1);
      const int all = quant(q, h, k), high = all / 16;
      residual += std::pow(scale * (all - 16 * high - 7.5), 2);
      value += std::pow(scale * (all - 128), 2);
      coarse += std::pow(scale * (16 * high - 128), 2);
      middle += std::pow(scale * 7.5, 2);
    }
    const int64_t count = 2 * (inner / kBlock) + 6;
    const double roundings = double(count) * 0x1p-24;
    return std::sqrt(residual) +
           roundings *
               (std::sqrt(value) + std::sqrt(coarse) + std::sqrt(middle));
  }

private:
  struct Plane {
    char name;
    int64_t group, blockBytes, pitchBytes;
    std::string element;
    const uint8_t *bytes;
  };
  std::vector<Plane> planes;
  int64_t n;

  const Plane *find(char name) const {
    for (const Plane &plane : planes)
      if (plane.name == name)
        return &plane;
    return nullptr;
  }
  static const uint8_t *at(const Plane &plane, int64_t k) {
    return plane.bytes + k / plane.group * plane.pitchBytes;
  }
  /// One of bytes [shares][16], each for its part of a block's columns.
  uint8_t scaleByte(const Plane &plane, int64_t k) const {
    const int64_t shares = plane.blockBytes / kPanel,
                  share = k % plane.group / (plane.group / shares);
    return at(plane, k)[kPanel * share + n];
  }
  float direct(const Plane &plane, int64_t k) const {
    const uint8_t *block = at(plane, k);
    if (plane.element == "f32")
      return load<float>(block + 4 * n);
    uint16_t bits = load<uint16_t>(block + 2 * n);
    return plane.element == "f16" ? halfToFloat(bits) : bfloatToFloat(bits);
  }
  float half(char name, int64_t k, float absent) const {
    const Plane *plane = find(name);
    return plane ? halfToFloat(load<uint16_t>(at(*plane, k) + 2 * n)) : absent;
  }
  /// Plane q, or l where the low bits lie apart.
  const Plane &lowBits() const {
    const Plane *l = find('l');
    return l ? *l : *find('q');
  }
  /// The quant, bits above the first four from plane h.
  int quant(const Plane &q, const Plane *h, int64_t k) const {
    const uint8_t *block = at(q, k);
    int64_t i = k % kBlock;
    if (q.blockBytes == kBlock * kPanel)
      return block[4 * (kPanel * (i / 4) + n) + i % 4];
    uint8_t byte = block[4 * (kPanel * (i % 16 / 4) + n) + i % 4];
    int value = i < 16 ? byte & 15 : byte >> 4;
    if (!h)
      return value;
    const uint8_t *high = at(*h, k);
    if (h->blockBytes == q.blockBytes) {
      uint8_t above = high[4 * (kPanel * (i % 16 / 4) + n) + i % 4];
      return value | (i < 16 ? above & 15 : above >> 4) << 4;
    }
    if (h->blockBytes == 4 * kPanel)
      return value | (high[4 * n + i % 4] >> (i / 4) & 1) << 4;
    return value |
           (high[4 * (kPanel * (i / 16) + n) + i % 4] >> (2 * (i % 16 / 4)) & 3)
               << 4;
  }
  /// The middle of the quants, where no minimum says where they start.
  int zeroPoint() const {
    if (find('m'))
      return 0;
    const Plane &q = lowBits();
    if (q.blockBytes == kBlock * kPanel || q.name == 'l')
      return 128;
    const Plane *h = find('h');
    return !h ? 8 : h->blockBytes == 4 * kPanel ? 16 : 32;
  }
};

/// Where the header of the weights is: at the start, or where a trailer says.
const uint8_t *headerOf(llvm::StringRef bytes) {
  qwen_embedded_trailer trailer;
  if (bytes.starts_with(llvm::StringRef(QWEN_WEIGHTS_MAGIC, 8)))
    return bytes.bytes_begin();
  if (bytes.size() < sizeof(trailer))
    return nullptr;
  std::memcpy(&trailer, bytes.end() - sizeof(trailer), sizeof(trailer));
  if (std::memcmp(trailer.magic, "QWENEMB1", 8) != 0 ||
      trailer.offset > bytes.size())
    return nullptr;
  return bytes.bytes_begin() + trailer.offset;
}

/// What may be lost of a row when a format of groups rounds it.
void roundingLoss(const std::vector<double> &stored,
                  const CatalogFormat &format, std::vector<double> &bound) {
  const int64_t group = format.scaleGroup;
  bound.assign(stored.size(), 0);
  for (size_t begin = 0; begin < stored.size(); begin += size_t(group)) {
    double peak = 0;
    auto end = begin + size_t(group);
    for (size_t i = begin; i < end; ++i)
      peak = std::max(peak, std::fabs(stored[i]));
    for (size_t i = begin; i < end; ++i)
      bound[i] = peak * format.lossOfLargest + 128 * 0x1p-25;
  }
}

} // namespace

llvm::Expected<PackedWeights> PackedWeights::open(const std::string &path,
                                                  mlir::ModuleOp planned) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return userError("cannot read `" + path +
                     "`: " + file.getError().message());
  PackedWeights weights;
  weights.file = std::move(*file);
  llvm::StringRef bytes = weights.file->getBuffer();
  const uint8_t *start = headerOf(bytes);
  auto left = start ? uint64_t(bytes.bytes_end() - start) : 0;
  qwen_weights_header header;
  if (left < sizeof(header))
    return userError("`" + path + "` holds no weights");
  std::memcpy(&header, start, sizeof(header));
  const qwen_section &section = header.sections[QWEN_SECTION_TENSORS];
  auto wanted = uint64_t(ir::getPlan(planned).getWeightsBytes());
  if (section.offset > left || section.bytes > left - section.offset ||
      section.bytes < wanted)
    return userError("`" + path + "` holds " + std::to_string(section.bytes) +
                     " bytes of tensors; the plan has " +
                     std::to_string(wanted));
  weights.tensors = start + section.offset;
  planned.walk(
      [&](ir::PackedWeightOp op) { weights.places[op.getName().str()] = op; });
  return weights;
}

bool PackedWeights::rows(llvm::StringRef name, int64_t row0, int64_t rows,
                         std::vector<double> &values) const {
  auto found = places.find(name.str());
  if (found == places.end())
    return false;
  ir::PackedWeightOp op = found->second;
  auto type = llvm::cast<ir::WeightType>(op.getType());
  const uint8_t *weight = tensors + int64_t(op.getOffset());
  values.clear();
  if (!type.isMatrix()) {
    int64_t width = type.getShape().back();
    int64_t stride = (width + kPanel - 1) / kPanel * kPanel;
    for (int64_t n = row0; n < row0 + rows; ++n)
      for (int64_t k = 0; k < width; ++k)
        values.push_back(double(load<float>(weight + 4 * (n * stride + k))));
    return true;
  }
  WeightLayout layout = weightLayout(type);
  int64_t inner = type.getDim(1);
  values.reserve(size_t(rows * inner));
  for (int64_t n = row0; n < row0 + rows; ++n) {
    PanelRow row(weight, layout, inner, n);
    row.append(inner, values);
  }
  return true;
}

namespace {

/// Errors of one tensor, row by row.
struct TensorErrors {
  const std::string &name;
  ir::WeightType type;
  PackedWeights::Comparison &comparison;
  double error = 0, size = 0; // sums of squares

  void add(int64_t n, const std::vector<double> &packed,
           const std::vector<double> &stored,
           const std::vector<double> &bound) {
    for (size_t k = 0; k < packed.size(); ++k) {
      double difference = std::fabs(packed[k] - stored[k]);
      if (!(difference <= bound[k])) {
        if (!comparison.first)
          comparison.first = {name,
                              type.getFormat().str(),
                              type.getLayout().str(),
                              n,
                              int64_t(k),
                              packed[k],
                              stored[k],
                              bound[k]};
        continue;
      }
      if (bound[k] > 0)
        comparison.worst = std::max(comparison.worst, difference / bound[k]);
      error += difference * difference;
      size += stored[k] * stored[k];
    }
  }
};

/// Why a matrix made anew is not what was told of it; empty when it is.
std::string difference(const Likeness &found, const Likeness &told) {
  // Sums of squares in another order, and the digits of a decimal number.
  constexpr double kRoundings = 1e-6;
  // Far beyond what 4 bits cost, far below what another matrix has.
  constexpr double kMostNoise = 0.5;
  if (found.digest != told.digest)
    return "has other values than those it was built with: digest " +
           found.digest + ", told " + told.digest;
  if (!(std::fabs(found.noise - told.noise) <= kRoundings) ||
      !(found.noise <= kMostNoise))
    return "stands for other values: " + std::to_string(found.noise) +
           " from the checkpoint's, told " + std::to_string(told.noise) +
           ", at most " + std::to_string(kMostNoise);
  return "";
}

} // namespace

std::optional<WeightDamage>
PackedWeights::smallBound(const std::string &name,
                          ir::PackedWeightOp op) const {
  auto type = llvm::cast<ir::WeightType>(op.getType());
  const WeightLayout layout = weightLayout(type);
  const int64_t inner = type.getDim(1);
  for (int64_t n = 0; n < type.getDim(0); ++n) {
    const PanelRow row(tensors + int64_t(op.getOffset()), layout, inner, n);
    const int64_t columns = row.boundColumns();
    for (int64_t k = 0; columns > 0 && k < inner; k += columns)
      if (double least = row.leastBound(k, inner); !(row.bound(k) >= least))
        return WeightDamage{
            name,
            type.getFormat().str(),
            type.getLayout().str() + "; this is the coarse copy's bound of " +
                std::to_string(columns) + " columns, and what it must reach",
            n,
            k,
            row.bound(k),
            least,
            0};
  }
  return std::nullopt;
}

PackedWeights::Comparison
PackedWeights::compare(const TensorIndex &index,
                       const std::map<std::string, Likeness> &madeAnew) const {
  Comparison comparison;
  comparison.tensors = int64_t(places.size());
  std::vector<double> packed, stored, bound;
  for (const auto &[name, place] : places) {
    ir::PackedWeightOp op = place;
    auto type = llvm::cast<ir::WeightType>(op.getType());
    TensorErrors errors{name, type, comparison};
    auto tensor = index.find(name);
    const CatalogFormat *format =
        KernelCatalog::builtin().format(type.getFormat().str());
    bool rounds = type.isMatrix() && tensor != index.end() &&
                  format->scaleGroup > 0 &&
                  format->storedTypes.front() != tensor->second.storedType;
    const auto told = madeAnew.find(name);
    const bool anew = told != madeAnew.end() && type.isMatrix();
    LikenessSum likeness;
    int64_t lines = type.isVector() ? 1 : type.getDim(0);
    for (int64_t n = 0; n < lines; ++n) {
      rows(name, n, 1, packed);
      stored.assign(packed.size(), std::nan(""));
      if (type.isRopeTable())
        stored = reference::ropeRow(op.getTheta()->convertToDouble(),
                                    type.getDim(1), n);
      else if (tensor != index.end() &&
               (!readTensorRows(tensor->second, n, 1, stored) ||
                stored.size() != packed.size()))
        stored.assign(packed.size(), std::nan(""));
      if (anew) {
        likeness.add(packed, stored);
        continue;
      }
      if (rounds)
        roundingLoss(stored, *format, bound);
      else
        bound.assign(packed.size(), 0);
      errors.add(n, packed, stored, bound);
    }
    if (type.isMatrix() && !comparison.first)
      comparison.first = smallBound(name, op);
    if (anew) {
      const Likeness found = likeness.result();
      comparison.noise[name] = found.noise;
      if (std::string wrong = difference(found, told->second);
          comparison.notAsTold.empty() && !wrong.empty())
        comparison.notAsTold = "`" + name + "` " + wrong;
    } else if (rounds && errors.size > 0)
      comparison.noise[name] = std::sqrt(errors.error / errors.size);
  }
  return comparison;
}

} // namespace qwen::verify
