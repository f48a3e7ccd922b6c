// Trial.cpp - what references read and expect, the call, and the comparison of
// both.
#include "codegen/kernels/Trial.h"

#include <algorithm>
#include <cstring>

namespace qwen::codegen {

const Trial::Buffer &Trial::find(std::string_view name) const {
  for (const std::unique_ptr<Buffer> &buffer : buffers)
    if (buffer && buffer->argument.name == name)
      return *buffer;
  throw KernelError{"no argument `" + std::string(name) + "`"};
}

double Trial::load(const Buffer &buffer, int64_t index) const {
  return buffer.load(buffer.bytes + index * buffer.element);
}

double Trial::in(std::string_view name, int64_t row, int64_t column) const {
  const Buffer &buffer = find(name);
  return load(buffer, row * buffer.stride + column);
}

const Trial::Buffer &Trial::weightBuffer(std::string_view name) const {
  for (const std::unique_ptr<Buffer> &buffer : buffers)
    if (buffer && buffer->argument.plane == 0 &&
        buffer->argument.operand == name)
      return *buffer;
  throw KernelError{"no weight `" + std::string(name) + "`"};
}

PackedPanel Trial::panelOf(std::string_view name, int64_t n) const {
  const Buffer &weight = weightBuffer(name);
  return panelBlocks<const uint8_t>(*format, weight.bytes,
                                    width(operandOf(weight.argument)), dim("k"),
                                    n / kPanelRows);
}

const std::vector<double> &Trial::weightRow(std::string_view name,
                                            int64_t n) const {
  const auto [row, added] = weightRows.try_emplace({&weightBuffer(name), n});
  if (added) {
    const PackedPanel planes = panelOf(name, n);
    for (int64_t k = 0; k < dim("k"); ++k)
      row->second.push_back(format->value(planes, n % kPanelRows, k));
  }
  return row->second;
}

double Trial::weight(std::string_view name, int64_t n, int64_t k) const {
  return weightRow(name, n)[size_t(k)];
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
  const auto [row, added] = products.try_emplace({&weightBuffer(name), {t, n}});
  if (added)
    row->second = sumProducts(name, t, n);
  return row->second;
}

Sum Trial::sumProducts(std::string_view name, int64_t t, int64_t n) const {
  Sum sum;
  const std::vector<double> &weights = weightRow(name, n);
  const Buffer &rows = find(quantised() ? "xq" : "x");
  const auto x = [&](int64_t k) { return load(rows, t * rows.stride + k); };
  if (!quantised()) {
    for (int64_t k = 0; k < dim("k"); ++k)
      sum.add(weights[size_t(k)] * x(k));
    return sum;
  }
  for (int64_t group = 0; group < dim("k") / format->scaleGroup; ++group) {
    double part = 0, quants = 0;
    for (int64_t k = group * format->scaleGroup;
         k < (group + 1) * format->scaleGroup; ++k) {
      part += weights[size_t(k)] * x(k);
      quants += x(k);
    }
    // A format with a minimum adds two terms that partly cancel.
    const double scale = in("xs", t, group * format->scaleGroup / 32);
    const double minimum = format->minimum ? quants * scale * 0.05 : 0;
    sum.add(part * scale);
    sum.squares += minimum * minimum;
    sum.terms += format->minimum ? 1 : 0;
  }
  return sum;
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
