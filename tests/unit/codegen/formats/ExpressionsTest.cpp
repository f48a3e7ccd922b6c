// build/bin/unit_codegen_formats --gtest_filter='Expressions.*'
//
// ExpressionsTest.cpp - the Halide expressions of every format mean what
// `value` says, to the bit.
#include "tests/unit/codegen/formats/PackedWeight.h"

#include <gtest/gtest.h>

namespace qwen::codegen {
namespace {

using namespace Halide;

uint32_t bits(float value) { return std::bit_cast<uint32_t>(value); }

Target strictHost() {
  return get_jit_target_from_environment().with_feature(Target::StrictFloat);
}

/// A random weight of three panels, the last of which has three rows, bound to
/// its planes' parameters.
class BoundWeight {
public:
  BoundWeight(const Format &format, uint32_t seed) : format(format) {
    std::mt19937 random(seed);
    const char *type = format.storedTypes[0];
    const std::vector<uint8_t> rows = randomRows(type, kRows, inner(), random);
    packed = std::make_unique<PackedWeight>(format, type, rows.data(), kRows,
                                            inner());
    params = planeParams(format, "w", inner(), packed->panels());
    for (size_t i = 0; i < params.size(); ++i) {
      const Plane &plane = format.planes[i];
      const int pitch = int(blockPlace(format, i).pitchBytes) /
                        plane.element.bytes(),
                blocks = int(inner() / plane.group);
      const halide_dimension_t shape[] = {
          {0, int(plane.blockBytes) / plane.element.bytes(), 1},
          {0, blocks, pitch},
          {0, int(packed->panels()), pitch * blocks}};
      params[i].set(
          Buffer<>(plane.element,
                   packed->bytes.data() + planeStart(format, i, kRows, inner()),
                   3, shape));
    }
  }
  static constexpr int64_t kRows = 35;
  int64_t inner() const {
    return std::max<int64_t>(2 * format.innerMultiple, 64);
  }

  const Format &format;
  std::unique_ptr<PackedWeight> packed;
  PlaneParams params;
};

class Expressions : public testing::TestWithParam<const char *> {};

TEST_P(Expressions, DecodeIsValue) {
  BoundWeight weight(*findFormat(GetParam()), 6);
  ASSERT_EQ(weight.packed->bad, -1);
  Var n("n"), k("k"), panel("panel");
  for (bool vectorised : {false, true}) {
    Func decoded("decoded");
    decoded(n, k, panel) = weight.format.decode(weight.params, n, k, panel);
    if (vectorised)
      decoded.bound(n, 0, 16).vectorize(n);
    Buffer<float> out = decoded.realize(
        {16, int(weight.inner()), int(weight.packed->panels())}, strictHost());
    for (int p = 0; p < out.dim(2).extent(); ++p)
      for (int i = 0; i < out.dim(1).extent(); ++i)
        for (int row = 0; row < 16; ++row)
          ASSERT_EQ(bits(out(row, i, p)),
                    bits(weight.packed->value(16 * p + row, i)))
              << "row " << 16 * p + row << ", k " << i;
  }
}

TEST_P(Expressions, QuantScaleAndMinimumMakeTheValue) {
  const Format &format = *findFormat(GetParam());
  ASSERT_EQ(format.scaleGroup == 0, format.quant == nullptr);
  ASSERT_EQ(format.scaleGroup == 0, format.scale == nullptr);
  if (format.scaleGroup == 0)
    return;
  BoundWeight weight(format, 7);
  const int group = int(format.scaleGroup);
  Var n("n"), k("k"), panel("panel");
  Expr quant = format.quant(weight.params, n, k % 32 / 4, k % 4, k / 32, panel);
  ASSERT_EQ(quant.type(), UInt(8));
  Func parts("parts");
  parts(n, k, panel) = {quant, format.scale(weight.params, n, k / group, panel),
                        format.minimum
                            ? format.minimum(weight.params, n, k / group, panel)
                            : Expr(0.0f)};
  Realization out = parts.realize(
      {16, int(weight.inner()), int(weight.packed->panels())}, strictHost());
  Buffer<uint8_t> quants = out[0];
  Buffer<float> scales = out[1], minima = out[2];
  for (int p = 0; p < quants.dim(2).extent(); ++p)
    for (int i = 0; i < quants.dim(1).extent(); ++i)
      for (int row = 0; row < 16; ++row) {
        float value = scales(row, i, p) *
                      float(int(quants(row, i, p)) - format.zeroPoint);
        if (format.minimum)
          value -= minima(row, i, p);
        ASSERT_EQ(bits(value), bits(weight.packed->value(16 * p + row, i)))
            << "row " << 16 * p + row << ", k " << i;
        // 1.5 times a scale is exact, as kernels of many tokens need.
        EXPECT_EQ(bits(scales(row, i, p)) & 3, 0u)
            << "row " << 16 * p + row << ", k " << i;
      }
}

/// Assembly of the sum over K of quant * x, of four quads a group, for one
/// panel.
std::string dotAssembly(const Format &format, const Target &target) {
  const int inner = 256, group = std::max(int(format.scaleGroup), 16),
            quads = group / 4;
  PlaneParams weight = planeParams(format, "w", inner, 1);
  ImageParam x(Int(8), 1, "x");
  x.dim(0).set_bounds(0, inner);
  Var n("n"), g("g");
  RDom r(0, 4, 0, quads, "r");
  Func dot("dot"), out("out");
  Expr quad = g % (32 / group) * quads + r.y, block = g / (32 / group);
  dot(n, g) = 0;
  dot(n, g) += cast<int32_t>(format.quant(weight, n, quad, r.x, block, 0)) *
               cast<int32_t>(x(block * 32 + quad * 4 + r.x));
  // The parts of a block of 32 are known, as they are to a kernel that unrolls
  // them.
  Var part("part"), b("b");
  out(n, part, b) = dot(n, b * (32 / group) + part);
  out.bound(n, 0, 16).bound(part, 0, 32 / group).vectorize(n).unroll(part);
  dot.compute_at(out, part).vectorize(n);
  dot.update()
      .reorder(r.x, n, r.y)
      .atomic()
      .vectorize(r.x)
      .vectorize(n)
      .unroll(r.y);
  std::vector<Argument> arguments(weight.begin(), weight.end());
  arguments.emplace_back(x);
  const std::string path = testing::TempDir() + "dot_" + format.name + ".s";
  out.compile_to_assembly(path, arguments, "dot", target);
  std::vector<char> text = Internal::read_entire_file(path);
  return {text.begin(), text.end()};
}

int64_t count(const std::string &text, const std::string &word) {
  int64_t found = 0;
  for (size_t at = text.find(word); at != std::string::npos;
       at = text.find(word, at + 1))
    ++found;
  return found;
}

TEST_P(Expressions, SumsOfFourAreOneDotInstruction) {
  const Format &format = *findFormat(GetParam());
  if (!format.quant)
    return;
  const std::string features =
      "-no_runtime-no_asserts-no_bounds_query-strict_float";
  const std::string vnni =
      dotAssembly(format, Target("x86-64-linux-avx512_zen4" + features));
  // One a quad: the quads of a group, of each part of a block of 32.
  EXPECT_EQ(count(vnni, "\tvpdpbusd\t"), 8);
  EXPECT_EQ(count(vnni, "vpmaddwd"), 0);
  EXPECT_EQ(count(vnni, "vpmovzxbw"), 0);
  const std::string avx2 = dotAssembly(
      format, Target("x86-64-linux-avx-avx2-f16c-fma-sse41" + features));
  EXPECT_GT(count(avx2, "\tvpmaddwd\t"), 0);
  EXPECT_EQ(count(avx2, "vpmulld"), 0);
}

std::vector<const char *> names() {
  std::vector<const char *> names;
  for (const Format &format : formats())
    names.push_back(format.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Formats, Expressions, testing::ValuesIn(names()),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

} // namespace
} // namespace qwen::codegen
