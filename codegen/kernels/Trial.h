// Trial.h - one call of a kernel on random data: its arguments in memory, and
// what they must become by the reference.
//
// Everything that a kernel may not depend on (padding columns, spare rows,
// cache positions of the future) is NaN.
#pragma once

#include "codegen/kernels/Kernel.h"
#include "qwen/cache_layout.h"

#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <random>

namespace qwen::codegen {

inline constexpr double kEpsilon = 0x1p-23; // of f32

/// A sum of products in f64 and how far f32 arithmetic may stray: each of n
/// terms of a random-signed sum adds a rounding error of about half an ulp of
/// the partial sum, so |error| <= kMargin ε √n ‖terms‖ with kMargin for the
/// worst of many.
struct Sum {
  double value = 0, squares = 0;
  int64_t terms = 0;
  void add(double term) {
    value += term;
    squares += term * term;
    ++terms;
  }
  static constexpr double kMargin = 2.0;
  double bound() const {
    return kMargin * kEpsilon *
               (std::sqrt(double(terms) * squares) + std::fabs(value)) +
           1e-30;
  }
};

/// The arguments of one call, laid out so that the call itself costs what the
/// runtime's does.
class PreparedCall {
public:
  void run(void *function) const;

private:
  friend class Trial;
  std::vector<halide_buffer_t> descriptors; // the integers point into it
  std::array<intptr_t, 24> integers{};
  float scalarFloat = 0;
};

class Trial {
public:
  /// Random arguments; equal seeds give equal values for every row and
  /// position, whatever T and position are.
  Trial(const KernelSymbol &symbol, int64_t tokens, int64_t position,
        uint64_t seed);

  const KernelSymbol symbol;
  const Kernel &kernel;

  int64_t dim(std::string_view letter) const { return symbol.dim(letter); }
  bool has(std::string_view option) const { return symbol.has(option); }
  int64_t tokens() const { return tokenCount; }
  int64_t position() const { return firstPosition; }
  /// Of a floor, so that cases choose them: 0 of an odd V.
  int64_t rank() const { return dim("v") % 2 ? 0 : (dim("v") + 3) / 4; }
  int64_t margin() const { return dim("v") % 2 ? 0 : dim("v") * dim("v"); }
  bool quantised() const {
    return symbol.options.size() > 1 && symbol.options[1] == "q8g32";
  }

  // For references.
  double in(std::string_view name, int64_t row, int64_t column) const;
  double weight(std::string_view name, int64_t n, int64_t k) const;
  /// What row n's coarse score may lack of its score, for activation row t.
  double bound(std::string_view name, int64_t t, int64_t n) const;
  /// Row n of weight `name` times activation row t, summed as the format does
  /// it: by element or by scale group.
  const Sum &product(std::string_view name, int64_t t, int64_t n) const;
  double key(int64_t position, int64_t c) const;
  double value(int64_t position, int64_t c) const;
  /// Null where the cache holds floats.
  const CacheCode *cacheCode() const { return code; }
  /// Of the values of a cache of integers.
  double valueScale(int64_t position) const {
    return in("values.scale", 0, position);
  }
  /// What the kernel wrote to an output, for outputs that follow from another.
  double result(std::string_view name, int64_t row, int64_t column) const {
    followsResults = true;
    return in(name, row, column);
  }
  float epsilon() const { return 1e-6f; }

  /// The reference's answer for one element of an output and the bound of a
  /// right one.
  void out(std::string_view name, int64_t row, int64_t column, double value,
           double bound);
  void cacheKey(int64_t head, int64_t position, int64_t c, double value,
                double bound);
  void cacheValue(int64_t head, int64_t position, int64_t c, double value,
                  double bound);
  /// Of row t of `x`, all columns of a head, in the keys or the values.
  void cacheRow(bool keys, int64_t head, int64_t t);

  /// The compiled function; scalars and buffers are passed with descriptors
  /// that hold nothing but `host`.
  void call(void *function) const { call(function, hosts()); }
  /// The same with buffers elsewhere; one address an argument, ignored for
  /// scalars.
  void call(void *function, const std::vector<uint8_t *> &hosts) const {
    prepare(hosts).run(function);
  }
  PreparedCall prepare(const std::vector<uint8_t *> &hosts) const;
  std::vector<uint8_t *> hosts() const;
  /// What a call reads from memory: streams of weights, planes of a cache that
  /// is read; an argument each.
  struct Streamed {
    int64_t bytes = 0; // 0: none, or part of another argument's stream
    size_t first = 0;  // the argument whose stream it is in
    int64_t start = 0; // bytes from there
  };
  std::vector<Streamed> streamed() const;
  void computeReference() { kernel.reference(*this); }
  /// Whether the reference computed holds only for what the kernel wrote here.
  bool referenceFollowsResults() const { return followsResults; }
  /// Takes the rows of this trial from the reference of one with the same
  /// kernel, options, dims and seed that has them.
  void adoptReference(const Trial &other);

  struct Verdict {
    bool within = true;
    double worst = 0; // largest error / bound
    std::string text; // of the first element outside, or of one that should not
                      // have been written
  };
  /// After call and computeReference.
  Verdict judge() const;
  /// Makes the reference wrong by little: the largest expected element moves by
  /// 64 bounds.
  void damageReference();
  /// Bytes of the output elements that the reference names for row t (its cache
  /// position, for caches), in order.
  std::vector<uint8_t> outputRow(int64_t t) const;
  /// What a call reads of them, of a cache the positions that it sees.
  int64_t inputBytes() const;

private:
  // After every buffer: nobody writes there.
  static constexpr int64_t kGuardBytes = 256;

  struct Buffer {
    KernelArgument argument;
    std::vector<uint64_t> storage; // with room to align
    uint8_t *bytes = nullptr;
    int64_t size = 0, stride = 0; // bytes; elements
    int64_t element = 1;          // bytes
    double (*load)(const uint8_t *element) = nullptr;
    CachePlane plane{};          // of a cache
    std::vector<uint8_t> before; // of an output
  };
  struct Expected {
    int64_t index;
    int64_t row;
    double value, bound;
  };
  std::vector<std::unique_ptr<Buffer>>
      buffers; // in argument order; scalars have none
  std::vector<KernelArgument> argumentList;
  mutable bool followsResults = false;
  std::map<std::string, std::vector<Expected>, std::less<>> expected;
  mutable std::map<std::pair<const Buffer *, std::pair<int64_t, int64_t>>, Sum>
      products; // weight, t, n
  mutable std::map<std::pair<const Buffer *, int64_t>, std::vector<double>>
      weightRows; // weight, n
  const Format *format = nullptr;
  const CacheCode *code = nullptr;
  int64_t tokenCount, firstPosition;

  int64_t width(const CatalogOperand &operand) const; // the product of its dims
  /// Elements in a row: fewer than the width where one stands for a group.
  int64_t columns(const KernelArgument &argument) const;
  /// Its first plane's, in which all of the weight lies.
  const Buffer &weightBuffer(std::string_view name) const;
  PackedPanel panelOf(std::string_view name, int64_t n) const;
  const std::vector<double> &weightRow(std::string_view name, int64_t n) const;
  Sum sumProducts(std::string_view name, int64_t t, int64_t n) const;
  const CatalogOperand &operandOf(const KernelArgument &argument) const;
  bool isCache(const KernelArgument &argument) const;
  CachePlane planeOf(const KernelArgument &argument) const; // of a cache
  /// An element of the first head of plane `name`.
  double cached(std::string_view name, int64_t position, int64_t column) const;
  void expectCached(const std::string &name, int64_t head, int64_t t,
                    int64_t column, double value, double bound);
  const Buffer &find(std::string_view name) const;
  void allocate(Buffer &buffer, int64_t bytes);
  void fill(Buffer &buffer, uint64_t seed);
  void fillPlane(Buffer &buffer, uint64_t seed);
  double load(const Buffer &buffer, int64_t index) const;
};

} // namespace qwen::codegen
