// LinearCore.h - x · Wᵀ for a tile of panels and tokens: the accumulation that
// every linear kernel shares.
//
// Shapes    acc (lane, panel, token): output n = 16 * panel + lane of a chunk
// Numerics  K ascending for each output, fma; the order inside a scale group is
// free because its dot is an integer
#pragma once

#include "codegen/kernels/Math.h"
#include "codegen/kernels/PairSums.h"

#include <bit>
#include <initializer_list>

namespace qwen::codegen {

class LinearCore {
public:
  Halide::Var lane{"lane"}, panel{"panel"}, token{"token"};
  Halide::Func acc;

  /// `panelsAround`: panels that the loop around the tiles of tokens goes
  /// through at a time, whose scales may be made ready there and quants
  /// unpacked; 0: no such loop.
  /// `weightPanel`: the panel of the weight that every panel of acc is of, by
  /// token, for quantised activations; its own if left out.
  /// `tokensOf`: a core in the same loops, which makes what depends on the
  /// tokens alone for this one too.
  LinearCore(const BuildContext &context, const PlaneParams &weight,
             const Activations &x, const std::string &name, int panelsAround,
             Halide::Func weightPanel = {},
             const LinearCore *tokensOf = nullptr)
      : acc(name), context(context), weight(weight), panelsAround(panelsAround),
        weightPanel(std::move(weightPanel)), tokensOf(tokensOf),
        dot(name + "_dot"), decoded(name + "_decoded"),
        quants(name + "_quants"), scales(name + "_scales"),
        shifts(name + "_shifts"), minima(name + "_minima"),
        starts(tokensOf ? tokensOf->starts : Halide::Func(name + "_starts")),
        offsets(tokensOf ? tokensOf->offsets
                         : Halide::Func(name + "_offsets")) {
    const Format &format = context.format();
    // Of a first plane whose quants are bytes already.
    constexpr int64_t kPlainBytes = 32 * kPanelRows;
    // A third of the second-level cache, from which the panels then come for
    // every tile of tokens.
    const int64_t elements = context.dim("k") * panelsAround * kPanelRows,
                  most = context.target.data.l2Bytes / 3;
    prepares =
        panelsAround > 0 && !context.oneToken() && !tokensOutermost(context) &&
        format.scaleGroup > 0 &&
        elements / format.scaleGroup * 2 * int64_t(sizeof(float)) <= most;
    unpacks = prepares && format.planes[0].blockBytes < kPlainBytes &&
              elements <= most;
    acc(lane, panel, token) = 0.0f;
    if (x.quantised)
      integerDots(format, weight, x);
    else
      floatProducts(format, weight, x);
  }

  /// Whether the loop over token tiles goes around that over tiles of panels: a
  /// tile of tokens stays in the first-level cache and the chunk's weights come
  /// from the second for each; else a tile of panels stays, and all tokens
  /// come.
  static bool tokensOutermost(const BuildContext &context) {
    return context.hasKnob("tokens_outer") && context.knob("tokens_outer") != 0;
  }

  /// Computes the tile that `at` needs: `panels` panels and `tokens` tokens,
  /// all accumulators in registers. `around` is the loop around the tiles: over
  /// panels, their quants are unpacked and their scales converted there once
  /// for all tokens, where they may be; over tokens, what depends on them alone
  /// is made there once for all panels.
  void schedule(Halide::LoopLevel at, int panels, int tokens,
                Halide::LoopLevel around = {}) {
    using namespace Halide;
    const int unroll = context.knob("unroll");
    acc.compute_at(at).store_in(MemoryType::Stack).bound_extent(panel, panels);
    if (!context.oneToken())
      acc.bound_extent(token, tokens);
    acc.bound_extent(lane, 16).vectorize(lane).unroll(panel).unroll(token);
    std::vector<VarOrRVar> order{lane, panel, token};
    for (RVar &var : inner)
      order.push_back(var);
    Stage update = acc.update();
    const int step = tokensOfSums(panels, tokens);
    if (step < tokens) {
      Var tokenStep("tokenStep");
      update.split(token, tokenStep, token, step, TailStrategy::RoundUp);
      order.push_back(tokenStep);
    }
    order.push_back(outer);
    update.reorder(order).vectorize(lane).unroll(panel).unroll(token);
    if (decoded.defined()) {
      // The tile's weights as f32 for one block of 32, shared by its tokens.
      decoded.compute_at(acc, outer)
          .store_in(MemoryType::Stack)
          .bound_extent(lane, 16)
          .bound_extent(panel, panels)
          .bound_extent(element, 32)
          .split(element, quad, element, 4)
          .reorder(lane, element, panel, quad)
          .vectorize(lane)
          .unroll(element)
          .unroll(panel);
      if (unroll > 1)
        update.unroll(inner.front(), unroll);
      prefetch(update, 1);
      return;
    }
    for (RVar &var : inner)
      update.unroll(var);
    if (unroll > 1)
      update.unroll(outer, unroll);
    prefetch(update, unroll);
    if (dot.defined()) {
      dot.compute_at(acc, inner.empty() ? outer : inner.front())
          .store_in(MemoryType::Stack);
      dot.vectorize(lane).unroll(panel).unroll(token);
      if (pairs.defined())
        pairs.schedule(dot, panels);
      else
        dot.update()
            .reorder({products[0], lane, panel, token, products[1]})
            .atomic()
            .vectorize(products[0])
            .vectorize(lane)
            .unroll(panel)
            .unroll(token)
            .unroll(products[1]);
    }
    // Not on the stack by Halide's name for it, whose limit of 16 KiB would put
    // it on the heap, which a kernel hasn't.
    if (quants.defined())
      quants.compute_at(around)
          .store_in(MemoryType::Register)
          .bound_extent(byte, 64)
          .bound_extent(quad, 8)
          .bound_extent(block, context.dim("k") / 32)
          .bound_extent(panel, panelsAround)
          .reorder(byte, quad, block, panel)
          .vectorize(byte)
          .unroll(quad);
    for (Func perGroup : {scales, shifts, minima})
      if (perGroup.defined())
        perGroup.compute_at(around)
            .store_in(MemoryType::Register)
            .bound_extent(lane, 16)
            .bound_extent(block,
                          context.dim("k") / int(context.format().scaleGroup))
            .bound_extent(panel, panelsAround)
            .reorder(lane, block, panel)
            .vectorize(lane);
    if (tokensOf)
      return;
    const Halide::LoopLevel oncePerTokens =
        tokensOutermost(context) ? around : at;
    if (starts.defined())
      starts.compute_at(oncePerTokens)
          .store_in(MemoryType::Stack)
          .bound_extent(block, context.dim("k") / 32)
          .unroll(part)
          .bound_extent(token, tokens)
          .vectorize(block, 16, TailStrategy::GuardWithIf);
    if (offsets.defined())
      offsets.compute_at(oncePerTokens)
          .store_in(MemoryType::Stack)
          .bound_extent(block, context.dim("k") / 32)
          .bound_extent(token, tokens)
          .vectorize(block, 16, TailStrategy::GuardWithIf);
  }

private:
  /// Tokens of a tile whose dots are computed at a time: sums of two products
  /// are apart from the tile's own, and take half of the registers.
  int tokensOfSums(int panels, int tokens) const {
    if (!pairs.defined())
      return tokens;
    const CatalogTarget &cpu = context.target.data;
    return std::clamp(
        int(cpu.registers / 2 / (panels * pairs.registers(cpu.lanes))), 1,
        tokens);
  }

  /// Asks for the planes' later blocks while the present ones are multiplied:
  /// a core alone keeps too few lines of memory under way.
  void prefetch(Halide::Stage &update, int unroll) {
    int ahead = context.hasKnob("prefetch") ? context.knob("prefetch") : 0;
    if (ahead == 0)
      return;
    if (context.format().scaleGroup == 0)
      ahead *= 32; // `outer` counts elements
    for (size_t i = 0; i < weight.size(); ++i)
      update.prefetch(weight[i], outer, outer, std::max(1, ahead / unroll),
                      Halide::PrefetchBoundStrategy::NonFaulting);
  }

  // What Halide puts on the stack at most.
  static constexpr int64_t kStackBytes = 16 << 10;

  const BuildContext &context;
  const PlaneParams weight;
  const int panelsAround;
  // Whether there is a loop in which panels' scales, or their quants too, are
  // made ready for all tokens.
  bool prepares = false, unpacks = false;
  Halide::Func weightPanel;
  const LinearCore *tokensOf;
  Halide::Func dot, decoded, quants, scales, shifts, minima, starts, offsets;
  Halide::Var element{"element"}, byte{"byte"}, quad{"quad"}, block{"block"},
      part{"part"};
  PairSums pairs;
  Halide::RDom products;
  Halide::RVar outer;
  std::vector<Halide::RVar> inner;

  void floatProducts(const Format &format, const PlaneParams &weight,
                     const Activations &x) {
    using namespace Halide;
    const int innerSize = context.dim("k");
    if (format.scaleGroup == 0) {
      RDom k(0, innerSize, "k");
      outer = k;
      acc(lane, panel, token) =
          context.fma(x.values(k, token), format.decode(weight, lane, k, panel),
                      acc(lane, panel, token));
      return;
    }
    RDom k(0, 32, 0, innerSize / 32, "k");
    inner = {k.x};
    outer = k.y;
    decoded(lane, element, panel, block) =
        format.decode(weight, lane, block * 32 + element, panel);
    acc(lane, panel, token) =
        context.fma(x.values(k.y * 32 + k.x, token),
                    decoded(lane, k.x, panel, k.y), acc(lane, panel, token));
  }

  void integerDots(const Format &format, const PlaneParams &weight,
                   const Activations &x) {
    using namespace Halide;
    const int quads = int(format.scaleGroup) / 4, parts = 8 / quads;
    Var g{"g"};
    products = RDom(0, 4, 0, quads, "products");
    RDom groups(0, parts, 0, context.dim("k") / 32, "groups");
    inner = {groups.x};
    outer = groups.y;

    // An exact integer: sum of (quant - zeroPoint) * x, from the unsigned
    // quants' dot and the sum of x.
    Expr blockOf = g / parts;
    Expr from = weightPanel.defined() ? weightPanel(token) : Expr(panel);
    Expr at = groups.y * parts + groups.x;
    Expr weightScale = format.scale(weight, lane, at, from);
    Expr negated =
        format.minimum ? -format.minimum(weight, lane, at, from) : Expr(0.0f);
    // A dot that starts at the bits of kRounder ends at those of kRounder + dot
    // as an f32, for a group's dot is below 2^20, so that one fma converts and
    // scales it, with the same rounding: kRounder times a scale (Format::scale)
    // is exact.
    const bool startsRounded = !context.oneToken() && context.target.fma;
    Expr shift = weightScale * -kRounder;
    if (unpacks)
      quants(byte, quad, block, panel) =
          format.quant(weight, byte / 4, quad, byte % 4, block, panel);
    if (prepares) {
      scales(lane, block, panel) = format.scale(weight, lane, block, panel);
      weightScale = scales(lane, at, panel);
      if (startsRounded) {
        shifts(lane, block, panel) = scales(lane, block, panel) * -kRounder;
        shift = shifts(lane, at, panel);
      }
      if (format.minimum) {
        minima(lane, block, panel) =
            -format.minimum(weight, lane, block, panel);
        negated = minima(lane, at, panel);
      }
    }
    const auto quant = [&](Expr quad, Expr j, Expr group) -> Expr {
      Expr in = group % parts * quads + quad, of = group / parts;
      return unpacks ? quants(lane * 4 + j, in, of, panel)
                     : format.quant(weight, lane, in, j, of, from);
    };
    const auto value = [&](Expr quad, Expr j, Expr group) -> Expr {
      Expr in = group % parts * quads + quad;
      return x.values(group / parts * 32 + in * 4 + j, token);
    };
    // Made for a whole tile of tokens, so that the loop over K loads them.
    const bool perTile =
        !context.oneToken() && context.hasKnob("tokens") &&
        context.knob("tokens") * context.dim("k") / format.scaleGroup * 4 <=
            kStackBytes;
    const int first = startsRounded ? std::bit_cast<int32_t>(kRounder) : 0;
    Expr start = first;
    if (format.zeroPoint) {
      const auto startOf = [&](const Expr &sum) {
        return sum * -format.zeroPoint + first;
      };
      const auto half = [&](const Expr &part, const Expr &block) {
        return startOf(select(part == 0, x.firstHalf(block, token),
                              x.secondHalf(block, token)));
      };
      start = parts == 1 ? startOf(x.sum(blockOf, token))
                         : half(g % parts, blockOf);
      if (perTile) {
        if (!starts.defined())
          starts(block, part, token) =
              parts == 1 ? startOf(x.sum(block, token)) : half(part, block);
        start = starts(blockOf, g % parts, token);
      }
    }
    dot(lane, panel, token, g) = start;
    if (context.target.data.quadDots)
      dot(lane, panel, token, g) +=
          cast<int32_t>(quant(products.y, products.x, g)) *
          cast<int32_t>(value(products.y, products.x, g));
    else
      pairs.addTo(dot,
                  context.hasKnob("sum_bits") ? context.knob("sum_bits") : 32,
                  quads, format.largestQuant, quant, value);

    Expr scale = x.scale(groups.y, token);
    Expr product = dot(lane, panel, token, at);
    product = startsRounded
                  ? context.fma(reinterpret<float>(product), weightScale, shift)
                  : cast<float>(product) * weightScale;
    Expr sum = context.fma(product, scale, acc(lane, panel, token));
    if (format.minimum) {
      Expr offset = scale * cast<float>(x.sum(groups.y, token));
      if (perTile) {
        if (!offsets.defined())
          offsets(block, token) =
              x.scale(block, token) * cast<float>(x.sum(block, token));
        offset = offsets(groups.y, token);
      }
      sum = context.fma(negated, offset, sum);
    }
    acc(lane, panel, token) = sum;
  }
};

/// The kernel's output y [T, M of N]: `value` of (lane, panel, token), tile by
/// tile from what `cores` accumulate.
inline void outputTiles(BuildContext &context, const Halide::Expr &value,
                        std::initializer_list<LinearCore *> cores) {
  using namespace Halide;
  const int panels = context.dim("m") / kPanelRows;
  const Var lane = (*cores.begin())->lane, panel = (*cores.begin())->panel,
            token = (*cores.begin())->token;
  Func y("y");
  y(lane, panel, token) = value;
  context.output(y, {{16, 1},
                     {panels, 16},
                     {context.tokens(), int(rowStride(context.dim("n")))}});

  const int tilePanels = context.knob("panels"),
            tileTokens = context.knob("tokens");
  Var panelTile("panelTile"), tokenTile("tokenTile");
  const bool tokensOuter = LinearCore::tokensOutermost(context);
  const Var inner = tokensOuter ? panelTile : tokenTile,
            outer = tokensOuter ? tokenTile : panelTile;
  y.bound(lane, 0, 16).bound(panel, 0, panels);
  y.split(panel, panelTile, panel, tilePanels)
      .split(token, tokenTile, token, tileTokens, TailStrategy::RoundUp);
  y.reorder(lane, panel, token, inner, outer)
      .vectorize(lane)
      .unroll(panel)
      .unroll(token);
  for (LinearCore *core : cores)
    core->schedule({y, inner}, tilePanels, tileTokens, {y, outer});
}

} // namespace qwen::codegen
