// TrialArguments.cpp - random arguments, in memory as a kernel wants them.
#include "codegen/formats/Blocks.h"
#include "codegen/kernels/Trial.h"

namespace qwen::codegen {
namespace {

constexpr int64_t kSpareRows = 8;

uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

/// Random numbers that depend on a key alone.
struct Random {
  uint64_t key;
  uint64_t bits(int64_t row, int64_t column) const {
    return mix(mix(key + uint64_t(row) * 0x9e3779b97f4a7c15ull) +
               uint64_t(column) * 0xd1b54a32d192ed03ull);
  }
  double uniform(int64_t row, int64_t column) const {
    return double(bits(row, column) >> 11) * 0x1p-53;
  }
  /// About normal: the sum of four uniform numbers, scaled to variance 1.
  double normal(int64_t row, int64_t column) const {
    double sum = 0;
    for (int64_t i = 0; i < 4; ++i)
      sum += uniform(row, 4 * column + i);
    return (sum - 2) * std::sqrt(3.0);
  }
};

int64_t elementBytes(const std::string &type) {
  return type == "f32" || type == "i32"                    ? 4
         : type == "f16" || type == "u16" || type == "i16" ? 2
                                                           : 1;
}

/// A plane of bf16 is declared as u16.
uint16_t f32ToBf16(float value) {
  return uint16_t(std::bit_cast<uint32_t>(value) >> 16);
}

void storeAs(const std::string &type, uint8_t *bytes, double value) {
  if (type == "f32")
    codegen::store(bytes, float(value));
  else if (type == "i32")
    codegen::store(bytes, int32_t(value));
  else if (type == "f16")
    codegen::store(bytes, f32ToF16(float(value)));
  else if (type == "u16")
    codegen::store(bytes, f32ToBf16(float(value)));
  else if (type == "i16")
    codegen::store(bytes, int16_t(value));
  else
    *bytes = uint8_t(int64_t(value));
}

/// How an element of the type is read.
auto loaderOf(const std::string &type) -> double (*)(const uint8_t *) {
  if (type == "f32")
    return [](const uint8_t *at) -> double { return codegen::load<float>(at); };
  if (type == "i32")
    return
        [](const uint8_t *at) -> double { return codegen::load<int32_t>(at); };
  if (type == "f16")
    return [](const uint8_t *at) -> double {
      return f16ToF32(codegen::load<uint16_t>(at));
    };
  if (type == "u16")
    return [](const uint8_t *at) -> double {
      return bf16ToF32(codegen::load<uint16_t>(at));
    };
  if (type == "i16")
    return
        [](const uint8_t *at) -> double { return codegen::load<int16_t>(at); };
  if (type == "i8")
    return [](const uint8_t *at) -> double { return int8_t(*at); };
  return [](const uint8_t *at) -> double { return *at; };
}

} // namespace

int64_t Trial::width(const CatalogOperand &operand) const {
  int64_t value = 1;
  for (const char &letter : operand.width)
    if (letter != '*')
      value *= dim(std::string_view(&letter, 1));
  return value;
}

int64_t Trial::columns(const KernelArgument &argument) const {
  return width(operandOf(argument)) / (argument.name == "xs"     ? 32
                                       : argument.name == "xsum" ? 16
                                                                 : 1);
}

const CatalogOperand &Trial::operandOf(const KernelArgument &argument) const {
  for (const CatalogOperand &operand : kernel.interface.operands)
    if (operand.name == argument.operand)
      return operand;
  throw KernelError{"argument `" + argument.name + "` has no operand"};
}

bool Trial::isCache(const KernelArgument &argument) const {
  const std::string &kind = operandOf(argument).kind;
  return kind == "keys" || kind == "values";
}

CachePlane Trial::planeOf(const KernelArgument &argument) const {
  for (const CachePlane &plane :
       cachePlanes(optionOf(symbol, kernel, "kv"),
                   operandOf(argument).kind == "keys", dim("c")))
    if (argument.name == argument.operand + std::string(plane.suffix))
      return plane;
  throw KernelError{"no plane `" + argument.name + "`"};
}

void Trial::allocate(Buffer &buffer, int64_t bytes) {
  buffer.size = bytes;
  buffer.storage.assign(size_t(bytes + kGuardBytes + 64) / 8 + 1, ~uint64_t(0));
  const uintptr_t start = reinterpret_cast<uintptr_t>(buffer.storage.data());
  buffer.bytes = reinterpret_cast<uint8_t *>(buffer.storage.data()) +
                 (roundUp(int64_t(start), 64) - int64_t(start));
}

Trial::Trial(const KernelSymbol &symbol, int64_t tokens, int64_t position,
             uint64_t seed)
    : symbol(symbol), kernel(*findKernel(symbol.kernel)), tokenCount(tokens),
      firstPosition(position) {
  static const KernelCatalog catalog = makeCatalog();
  std::string error;
  const auto list = catalog.arguments(symbol.kernel, symbol.options, error);
  if (!list)
    throw KernelError{error};
  argumentList = *list;
  for (const CatalogOption &option : kernel.interface.options)
    if (option.name == "format")
      format = findFormat(symbol.options.front());
    else if (option.name == "kv")
      code = qwen::cacheCode(optionOf(symbol, kernel, "kv"));
  for (const CatalogOperand &operand : kernel.interface.operands)
    if (operand.kind == "coarse")
      format = format->coarse();

  for (const KernelArgument &argument : argumentList) {
    buffers.push_back(nullptr);
    if (argument.role == "scalar")
      continue;
    buffers.back() = std::make_unique<Buffer>();
    Buffer &buffer = *buffers.back();
    buffer.argument = argument;
    const CatalogOperand &operand = operandOf(argument);
    const int64_t element = buffer.element = elementBytes(argument.type);
    buffer.load = loaderOf(argument.type);
    if (argument.plane == 0) {
      allocate(buffer, weightBytes(*format, width(operand), dim("k")));
    } else if (argument.plane > 0) {
      // In the memory of the first plane.
      const Buffer &weight = **(buffers.end() - 1 - argument.plane);
      buffer.bytes = weight.bytes + planeStart(*format, size_t(argument.plane),
                                               width(operand), dim("k"));
    } else if (isCache(argument)) {
      const int64_t heads = dim("g") > 0   ? dim("g")
                            : dim("m") > 0 ? dim("m") / dim("c")
                                           : 1;
      buffer.plane = planeOf(argument);
      allocate(buffer, heads * buffer.plane.headBytes(dim("s")));
    } else if (operand.kind == "ids") {
      allocate(buffer, roundUp((tokens + kSpareRows) * element, 64));
    } else if (operand.kind == "vec") {
      allocate(buffer, rowStride(width(operand)) * element);
    } else {
      buffer.stride = argument.name == "xsum" ? halfSumStride(width(operand))
                                              : rowStride(columns(argument));
      allocate(buffer, (tokens + kSpareRows) * buffer.stride * element);
    }
    if (argument.role == "input")
      fill(buffer, mix(seed + std::hash<std::string>{}(argument.name)));
    else
      buffer.before.assign(buffer.bytes,
                           buffer.bytes + buffer.size + kGuardBytes);
  }
}

void Trial::fill(Buffer &buffer, uint64_t seed) {
  const Random random{seed};
  const CatalogOperand &operand = operandOf(buffer.argument);
  const auto store = [&](int64_t index, double value) {
    storeAs(buffer.argument.type, buffer.bytes + index * buffer.element, value);
  };

  if (buffer.argument.plane >= 0)
    return fillPlane(buffer, seed);
  if (isCache(buffer.argument)) {
    const CachePlane &plane = buffer.plane;
    // A span may end before the position.
    for (int64_t s = 0; s < std::min(firstPosition + tokenCount, dim("s")); ++s)
      for (int64_t c = 0; c < plane.columns; ++c)
        store(plane.index(s, c),
              plane.suffix == ".scale"
                  ? (1.27 + 2.54 * random.uniform(s, c)) / double(code->largest)
              : code && buffer.argument.type == code->type
                  ? double(code->offset - code->largest) +
                        double(random.bits(s, c) %
                               uint64_t(2 * code->largest + 1))
                  : random.normal(s, c));
    return;
  }
  if (operand.kind == "ids") {
    for (int64_t t = 0; t < tokenCount; ++t)
      store(t, double(random.bits(firstPosition + t, 0) % uint64_t(dim("n"))));
    return;
  }
  if (operand.kind == "vec") {
    for (int64_t i = 0; i < width(operand); ++i)
      store(i, random.normal(0, i));
    return;
  }
  const int64_t width = this->width(operand);
  for (int64_t t = 0; t < tokenCount; ++t) {
    const int64_t row = firstPosition + t, start = t * buffer.stride;
    for (int64_t i = 0; i < columns(buffer.argument); ++i) {
      if (operand.kind == "rope") {
        const double angle =
            double(row) *
            std::pow(10000.0, -2.0 * double(i % (width / 2)) / double(width));
        store(start + i, i < width / 2 ? std::cos(angle) : std::sin(angle));
      } else if (buffer.argument.name == "xq") {
        store(start + i, double(int64_t(random.bits(row, i) % 255) - 127));
      } else if (buffer.argument.name == "xs") {
        store(start + i, 0.01 + 0.02 * random.uniform(row, i));
      } else if (buffer.argument.name == "xsum") {
        double sum = 0;
        for (int64_t k = 16 * i; k < 16 * i + 16; ++k)
          sum += in("xq", t, k);
        store(start + i, sum);
      } else if (buffer.argument.name == "parts") {
        // Of spans that the row takes: what attention_span gives of them.
        const int64_t span = i / dim("p") / dim("h"),
                      column = i % dim("p") - dim("c");
        if (span * kSpanPositions <= row)
          store(start + i, column == 0   ? 1 + random.uniform(row, i)
                           : column == 1 ? std::ceil(8 * random.normal(row, i))
                           : column > 1  ? 0
                                         : random.normal(row, i));
      } else if (buffer.argument.name == "logits") {
        store(start + i, double(random.bits(row, i) % 512)); // with many ties
      } else {
        store(start + i, random.normal(row, i));
      }
    }
  }
}

void Trial::fillPlane(Buffer &buffer, uint64_t seed) {
  const Random random{seed};
  const auto index = size_t(buffer.argument.plane);
  const Plane &plane = format->planes[index];
  const std::string &type = buffer.argument.type;
  const int64_t pitch = blockPlace(*format, index).pitchBytes,
                rows = width(operandOf(buffer.argument)),
                blocks = streamBytes(*format, index, rows, dim("k")) / pitch;
  // Any bits are quants; scales are small and of both signs.
  const bool quantised = format->scaleGroup > 0;
  int64_t i = 0;
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t at = 0; at < plane.blockBytes; at += buffer.element, ++i) {
      uint8_t *bytes = buffer.bytes + block * pitch + at;
      if (type == "u8" || type == "i8")
        *bytes = uint8_t(random.bits(0, i));
      else
        storeAs(type, bytes,
                quantised ? (0.004 + 0.01 * random.uniform(0, i)) *
                                (random.bits(1, i) & 1 ? 1 : -1)
                          : random.normal(0, i) * 0.05);
    }
}

} // namespace qwen::codegen
