// LinearCore.h - x · Wᵀ for a tile of panels and tokens: the accumulation that
// every linear kernel shares.
//
// Shapes    acc (lane, panel, token): output n = 16 * panel + lane of a chunk
// Numerics  K ascending for each output, fma; the order inside a scale group is
// free because its dot is an integer
#pragma once

#include "codegen/kernels/Kernel.h"

namespace qwen::codegen {

class LinearCore {
public:
  Halide::Var lane{"lane"}, panel{"panel"}, token{"token"};
  Halide::Func acc;

  LinearCore(const BuildContext &context, const PlaneParams &weight,
             const Activations &x, const std::string &name)
      : acc(name), context(context), dot(name + "_dot"), half(name + "_half"),
        ones(name + "_ones"), decoded(name + "_decoded") {
    const Format &format = context.format();
    acc(lane, panel, token) = 0.0f;
    if (x.quantised)
      integerDots(format, weight, x);
    else
      floatProducts(format, weight, x);
  }

  /// Computes the tile that `at` needs: `panels` panels and `tokens` tokens,
  /// all accumulators in registers.
  void schedule(Halide::LoopLevel at, int panels, int tokens) {
    using namespace Halide;
    const int unroll = context.knob("unroll");
    acc.compute_at(at).store_in(MemoryType::Stack).bound_extent(panel, panels);
    if (!context.oneToken())
      acc.bound_extent(token, tokens);
    acc.bound_extent(lane, 16).vectorize(lane).unroll(panel).unroll(token);
    std::vector<VarOrRVar> order{lane, panel, token};
    for (RVar &var : inner)
      order.push_back(var);
    order.push_back(outer);
    Stage update = acc.update();
    update.reorder(order).vectorize(lane).unroll(panel).unroll(token);
    if (decoded.defined()) {
      // The tile's weights as f32 for one block of 32, shared by its tokens.
      Var quad("quad");
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
      return;
    }
    for (RVar &var : inner)
      update.unroll(var);
    if (unroll > 1)
      update.unroll(outer, unroll);
    if (dot.defined()) {
      dot.compute_at(acc, inner.empty() ? outer : inner.front())
          .store_in(MemoryType::Stack);
      dot.vectorize(lane).unroll(panel).unroll(token);
      dot.update()
          .reorder({products[0], lane, panel, token, products[1]})
          .atomic()
          .vectorize(products[0])
          .vectorize(lane)
          .unroll(panel)
          .unroll(token)
          .unroll(products[1]);
    }
    if (half.defined()) {
      ones.compute_at(at)
          .store_in(MemoryType::Stack)
          .bound_extent(lane, 16)
          .vectorize(lane)
          .unroll(element);
      half.compute_at(acc, outer)
          .store_in(MemoryType::Stack)
          .bound_extent(lane, 16)
          .vectorize(lane)
          .unroll(token);
      half.update()
          .reorder({products[0], lane, token, products[1]})
          .atomic()
          .vectorize(products[0])
          .vectorize(lane)
          .unroll(token)
          .unroll(products[1]);
    }
  }

private:
  const BuildContext &context;
  Halide::Func dot, half, ones, decoded;
  Halide::Var element{"element"};
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
    Var block("block");
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
    const int group = int(format.scaleGroup), parts = 32 / group,
              quads = group / 4;
    Var g{"g"};
    products = RDom(0, 4, 0, quads, "products");
    RDom groups(0, parts, 0, context.dim("k") / 32, "groups");
    inner = {groups.x};
    outer = groups.y;

    // An exact integer: sum of (quant - zeroPoint) * x, from the unsigned
    // quants' dot and the sum of x.
    Expr block = g / parts, quad = g % parts * quads + products.y;
    Expr quant = format.quant(weight, lane, quad, products.x, block, panel);
    Expr value = x.values(block * 32 + quad * 4 + products.x, token);
    Expr start = 0;
    if (format.zeroPoint && parts == 1) {
      start = x.sum(block, token) * -format.zeroPoint;
    } else if (format.zeroPoint) {
      // Groups of 16: the sum of x over a block's first half is a dot with
      // ones, the same in every lane; the second half's is the rest. The ones
      // are a stage, since a constant would be simplified away and the dot with
      // it.
      Var block("block");
      ones(element, lane) = cast<uint8_t>(1);
      half(lane, token, block) = 0;
      half(lane, token, block) +=
          cast<int32_t>(ones(products.x, lane)) *
          cast<int32_t>(
              x.values(block * 32 + products.y * 4 + products.x, token));
      Expr first = half(lane, token, g / parts);
      start = select(g % parts == 0, first, x.sum(g / parts, token) - first) *
              -format.zeroPoint;
    }
    dot(lane, panel, token, g) = start;
    dot(lane, panel, token, g) += cast<int32_t>(quant) * cast<int32_t>(value);

    Expr at = groups.y * parts + groups.x;
    Expr scale = x.scale(groups.y, token);
    Expr sum = context.fma(cast<float>(dot(lane, panel, token, at)),
                           format.scale(weight, lane, at, panel) * scale,
                           acc(lane, panel, token));
    if (format.minimum)
      sum = context.fma(-format.minimum(weight, lane, at, panel),
                        scale * cast<float>(x.sum(groups.y, token)), sum);
    acc(lane, panel, token) = sum;
  }
};

} // namespace qwen::codegen
