// Trial.cpp - random arguments, the call, and the comparison with the
// reference.
#include "codegen/kernels/Trial.h"
#include "codegen/formats/Blocks.h"

#include <algorithm>
#include <cstring>

namespace qwen::codegen {
namespace {

constexpr int64_t kSpareRows = 8;
constexpr int64_t kGuardBytes = 256; // after every buffer: nobody writes there

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

const Trial::Buffer &Trial::find(std::string_view name) const {
  for (const std::unique_ptr<Buffer> &buffer : buffers)
    if (buffer && buffer->argument.name == name)
      return *buffer;
  throw KernelError{"no argument `" + std::string(name) + "`"};
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
    const int64_t element = elementBytes(argument.type);
    buffer.element = element;
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
  const std::string &type = buffer.argument.type;
  const int64_t element = elementBytes(type);
  const auto store = [&](int64_t index, double value) {
    storeAs(type, buffer.bytes + index * element, value);
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
              : code && type == code->type
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
  const int64_t element = elementBytes(type),
                pitch = blockPlace(*format, index).pitchBytes,
                rows = width(operandOf(buffer.argument)),
                blocks = streamBytes(*format, index, rows, dim("k")) / pitch;
  // Any bits are quants; scales are small and of both signs.
  const bool quantised = format->scaleGroup > 0;
  int64_t i = 0;
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t at = 0; at < plane.blockBytes; at += element, ++i) {
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

double Trial::load(const Buffer &buffer, int64_t index) const {
  return buffer.load(buffer.bytes + index * buffer.element);
}

double Trial::in(std::string_view name, int64_t row, int64_t column) const {
  const Buffer &buffer = find(name);
  return load(buffer, row * buffer.stride + column);
}

PackedPanel Trial::panelOf(std::string_view name, int64_t n) const {
  for (const std::unique_ptr<Buffer> &buffer : buffers)
    if (buffer && buffer->argument.plane == 0 &&
        buffer->argument.operand == name)
      return panelBlocks<const uint8_t>(*format, buffer->bytes,
                                        width(operandOf(buffer->argument)),
                                        dim("k"), n / kPanelRows);
  throw KernelError{"no weight `" + std::string(name) + "`"};
}

double Trial::weight(std::string_view name, int64_t n, int64_t k) const {
  return format->value(panelOf(name, n), n % kPanelRows, k);
}

double Trial::bound(std::string_view name, int64_t t, int64_t n) const {
  const PackedPanel planes = panelOf(name, n);
  double sum = 0;
  for (int64_t block = 0; block < dim("k") / format->boundGroup; ++block) {
    double squares = 0;
    for (int64_t k = block * format->boundGroup;
         k < (block + 1) * format->boundGroup; ++k)
      squares += std::pow(in("xq", t, k) * in("xs", t, k / 32), 2);
    sum +=
        format->boundValue(planes, n % kPanelRows, block) * std::sqrt(squares);
  }
  return sum;
}

const Sum &Trial::product(std::string_view name, int64_t t, int64_t n) const {
  const void *weight = nullptr;
  for (const std::unique_ptr<Buffer> &buffer : buffers)
    if (buffer && buffer->argument.operand == name)
      weight = buffer.get();
  const auto [row, added] = products.try_emplace({weight, {t, n}});
  if (added)
    row->second = sumProducts(name, t, n);
  return row->second;
}

const std::vector<double> &Trial::weightRow(std::string_view name,
                                            int64_t n) const {
  const PackedPanel planes = panelOf(name, n);
  const auto [row, added] = weightRows.try_emplace({planes[0].first, n});
  if (added)
    for (int64_t k = 0; k < dim("k"); ++k)
      row->second.push_back(format->value(planes, n % kPanelRows, k));
  return row->second;
}

Sum Trial::sumProducts(std::string_view name, int64_t t, int64_t n) const {
  Sum sum;
  const std::vector<double> &weights = weightRow(name, n);
  const Buffer &x = find(quantised() ? "xq" : "x");
  const auto in = [&](int64_t k) { return load(x, t * x.stride + k); };
  if (!quantised()) {
    for (size_t k = 0; k < weights.size(); ++k)
      sum.add(in(int64_t(k)) * weights[k]);
    return sum;
  }
  for (int64_t group = 0; group < dim("k") / format->scaleGroup; ++group) {
    double part = 0, quants = 0;
    for (int64_t k = group * format->scaleGroup;
         k < (group + 1) * format->scaleGroup; ++k) {
      part += in(k)*weights[size_t(k)];
      quants += in(k);
    }
    // A format with a minimum adds two terms that partly cancel.
    const double scale = this->in("xs", t, group * format->scaleGroup / 32);
    const double minimum = format->minimum ? quants * scale * 0.05 : 0;
    sum.add(part * scale);
    sum.squares += minimum * minimum;
    sum.terms += format->minimum ? 1 : 0;
  }
  return sum;
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

double Trial::cached(std::string_view name, int64_t position,
                     int64_t column) const {
  const Buffer &buffer = find(name);
  return load(buffer, buffer.plane.index(position, column));
}

double Trial::key(int64_t position, int64_t c) const {
  if (!code)
    return cached("keys", position, c);
  const KeyColumn column = keyColumn(code, c, dim("c"));
  return column.slow ? cached("keys.slow", position, column.column)
                     : (cached("keys", position, column.column) -
                        double(code->offset)) *
                           cached("keys.scale", position, 0);
}
double Trial::value(int64_t position, int64_t c) const {
  const double stored = cached("values", position, c);
  return code ? (stored - double(code->offset)) * valueScale(position) : stored;
}

void Trial::out(std::string_view name, int64_t row, int64_t column,
                double value, double bound) {
  const Buffer &buffer = find(name);
  expected[std::string(name)].push_back({row * buffer.stride + column,
                                         buffer.stride ? row : column, value,
                                         bound});
}

namespace {
/// What the rounding to the cache's type adds: half an ulp of f16.
double withCacheRounding(const Trial &trial, double value, double bound) {
  return optionOf(trial.symbol, trial.kernel, "kv") == "f16"
             ? bound + std::fabs(value) * 0x1p-11 + 0x1p-25
             : bound;
}
} // namespace

void Trial::expectCached(const std::string &name, int64_t head, int64_t t,
                         int64_t column, double value, double bound) {
  const CachePlane &plane = find(name).plane;
  expected[name].push_back(
      {head * dim("s") * plane.columns + plane.index(firstPosition + t, column),
       t, value, bound});
}

void Trial::cacheKey(int64_t head, int64_t t, int64_t c, double value,
                     double bound) {
  expectCached("keys", head, t, c, value,
               withCacheRounding(*this, value, bound));
}

void Trial::cacheValue(int64_t head, int64_t t, int64_t c, double value,
                       double bound) {
  expectCached("values", head, t, c, value,
               withCacheRounding(*this, value, bound));
}

void Trial::cacheRow(bool keys, int64_t head, int64_t t) {
  const int64_t width = dim("c");
  const std::string name = keys ? "keys" : "values";
  const auto x = [&](int64_t c) { return in("x", t, head * width + c); };
  const auto columnOf = [&](int64_t c) {
    return keys ? keyColumn(code, c, width) : KeyColumn{false, c};
  };
  if (!code) {
    for (int64_t c = 0; c < width; ++c)
      expectCached(name, head, t, c, x(c), withCacheRounding(*this, x(c), 0));
    return;
  }
  double peak = 0;
  for (int64_t c = 0; c < width; ++c)
    if (!columnOf(c).slow)
      peak = std::max(peak, std::fabs(x(c)));
  const auto largest = double(code->largest);
  const double scale = peak / largest;
  expectCached(name + ".scale", head, t, 0, scale, kEpsilon * scale);
  for (int64_t c = 0; c < width; ++c)
    if (const KeyColumn column = columnOf(c); column.slow)
      expectCached(name + ".slow", head, t, column.column, x(c),
                   std::fabs(x(c)) * 0x1p-11 + 0x1p-25);
    else // an integer next to the ratio
      expectCached(name, head, t, column.column,
                   double(code->offset) + (peak > 0 ? x(c) / scale : 0),
                   0.5 + 4 * largest * kEpsilon);
}

std::vector<uint8_t *> Trial::hosts() const {
  std::vector<uint8_t *> list;
  for (const std::unique_ptr<Buffer> &buffer : buffers)
    list.push_back(buffer ? buffer->bytes : nullptr);
  return list;
}

std::vector<Trial::Streamed> Trial::streamed() const {
  std::vector<Streamed> list;
  for (size_t i = 0; i < buffers.size(); ++i) {
    list.push_back({0, i, 0});
    if (!buffers[i] || argumentList[i].role == "output")
      continue;
    const KernelArgument &argument = argumentList[i];
    if (isCache(argument))
      list[i].bytes = buffers[i]->size;
    if (argument.plane < 0)
      continue;
    const auto plane = size_t(argument.plane);
    if (format->planes[plane].joins)
      list[i] = {0, list[i - 1].first, blockPlace(*format, plane).startBytes};
    else
      list[i].bytes =
          streamBytes(*format, plane, width(operandOf(argument)), dim("k"));
  }
  return list;
}

PreparedCall Trial::prepare(const std::vector<uint8_t *> &hosts) const {
  PreparedCall call;
  call.descriptors.resize(argumentList.size());
  call.scalarFloat = epsilon();
  if (argumentList.size() > call.integers.size())
    throw KernelError{"too many arguments"};
  size_t integers = 0;
  for (size_t i = 0; i < argumentList.size(); ++i) {
    const KernelArgument &argument = argumentList[i];
    if (argument.role == "scalar" && argument.type == "f32")
      continue;
    intptr_t &value = call.integers[integers++];
    if (argument.role == "scalar") {
      // A kernel for one token has T in its signature and may not use it.
      const int64_t tokens = dim("t") == 1 ? -1 : tokenCount;
      value = argument.name == "T"        ? tokens
              : argument.name == "rank"   ? rank()
              : argument.name == "margin" ? margin()
                                          : firstPosition;
      continue;
    }
    std::memset(static_cast<void *>(&call.descriptors[i]), 0xA5,
                sizeof(halide_buffer_t));
    call.descriptors[i].host = hosts[i];
    value = reinterpret_cast<intptr_t>(&call.descriptors[i]);
  }
  return call;
}

void PreparedCall::run(void *function) const {
  // The C ABI of x86-64 passes integers and pointers in one sequence and floats
  // in another, and a callee ignores arguments that it does not take: one
  // signature calls every kernel with up to 24 integers and one float.
  using P = intptr_t;
  using Function = int (*)(P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
                           P, P, P, P, P, P, float);
  const std::array<intptr_t, 24> &a = integers;
  reinterpret_cast<Function>(function)(
      a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11],
      a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20], a[21],
      a[22], a[23], scalarFloat);
}

void Trial::adoptReference(const Trial &other) {
  const int64_t skipped = firstPosition - other.firstPosition;
  for (const auto &[name, rows] : other.expected) {
    const bool cache =
        isCache(find(name).argument); // indexed by position, not by row
    const int64_t stride = cache ? 0 : std::max<int64_t>(1, find(name).stride);
    for (Expected row : rows) {
      row.row -= skipped;
      row.index -= skipped * stride;
      if (row.row >= 0 && row.row < tokenCount)
        expected[name].push_back(row);
    }
  }
}

Trial::Verdict Trial::judge() const {
  Verdict verdict;
  const auto fail = [&](const std::string &text) {
    if (verdict.within)
      verdict.text = text;
    verdict.within = false;
  };
  for (const std::unique_ptr<Buffer> &buffer : buffers) {
    if (!buffer || buffer->argument.role != "output")
      continue;
    const std::string &name = buffer->argument.name;
    const int64_t element = buffer->element;
    std::vector<uint8_t> named(size_t(buffer->size / element));
    const auto rows = expected.find(name);
    if (rows != expected.end())
      for (const Expected &row : rows->second) {
        named[size_t(row.index)] = 1;
        // Equal infinities have no difference.
        const double got = load(*buffer, row.index),
                     error = got == row.value ? 0 : std::fabs(got - row.value);
        if (!(error <= row.bound))
          fail(name + "[" + std::to_string(row.index) + "] is " +
               std::to_string(got) + ", expected " + std::to_string(row.value) +
               ", error " + std::to_string(error) + ", bound " +
               std::to_string(row.bound));
        if (row.bound > 0)
          verdict.worst = std::max(verdict.worst, error / row.bound);
      }
    const bool cache = isCache(buffer->argument);
    for (int64_t i = 0; cache && i < buffer->size / element; ++i)
      if (!named[size_t(i)] && std::memcmp(buffer->bytes + i * element,
                                           &buffer->before[size_t(i * element)],
                                           size_t(element)) != 0)
        fail(name + "[" + std::to_string(i) + "] was written");
    if (std::memcmp(buffer->bytes + buffer->size,
                    &buffer->before[size_t(buffer->size)], kGuardBytes) != 0)
      fail("bytes after `" + name + "` were written");
  }
  return verdict;
}

void Trial::damageReference() {
  Expected *largest = nullptr;
  for (auto &[name, rows] : expected)
    for (Expected &row : rows)
      if (std::isfinite(row.value) &&
          (!largest || std::fabs(row.value) > std::fabs(largest->value)))
        largest = &row;
  if (largest)
    largest->value += std::max(
        {64 * largest->bound, 1e-5 * std::fabs(largest->value), 1e-30});
}

std::vector<uint8_t> Trial::outputRow(int64_t t) const {
  std::vector<uint8_t> bytes;
  for (const auto &[name, rows] : expected) {
    const Buffer &buffer = find(name);
    const int64_t element = buffer.element;
    for (const Expected &row : rows)
      if (row.row == t)
        bytes.insert(bytes.end(), buffer.bytes + row.index * element,
                     buffer.bytes + (row.index + 1) * element);
  }
  return bytes;
}

int64_t Trial::inputBytes() const {
  int64_t total = 0;
  for (const Streamed &input : streamed())
    total += input.bytes > 0 && isCache(argumentList[input.first])
                 ? input.bytes / dim("s") *
                       std::min(dim("s"), firstPosition + tokenCount)
                 : input.bytes;
  return total;
}

} // namespace qwen::codegen
