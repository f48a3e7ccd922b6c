// Interpreter.cpp - the walk over a function: operands to host values, the op's
// meaning, results back.
#include "passes/reference/Interpreter.h"

#include "passes/reference/Bounds.h"

#include "passes/ir/QwenOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <functional>
#include <limits>

using namespace mlir;

namespace qwen::reference {

/// One call: the values that ops have given so far.
class Step {
public:
  Step(Interpreter &owner) : owner(owner) {}

  FailureOr<std::vector<HostValue>> run(func::FuncOp function,
                                        std::vector<HostValue> arguments);

private:
  LogicalResult visit(Operation *op);

  FailureOr<Bounded> matmul(Operation *op, Value x, Value weight, Value bias);
  FailureOr<std::vector<double>> vector(Operation *op, Value weight);
  FailureOr<Rows> embedding(ir::EmbeddingOp op);
  FailureOr<Bounded> attention(ir::AttentionOp op);
  FailureOr<Bounded> attentionSpans(ir::AttentionSpanOp op);
  Bounded attentionMerge(ir::AttentionMergeOp op);
  /// Whether a step of `tokens` rows sees positions that nothing has written.
  template <typename Op> LogicalResult checkSeen(Op op, int64_t tokens);
  /// A linear, then the head norm if there is one, then RoPE.
  FailureOr<Bounded> linearRope(Operation *op, Value x, Value weight,
                                Value bias, Value norm,
                                std::optional<llvm::APFloat> eps, Value table,
                                Value position);
  /// Rows that other ops gave, and of which nothing was lost.
  Bounded exact(const Rows &value) const {
    return {value, checks() ? Rows(value.tokens, value.width) : Rows()};
  }
  Bounded rmsNorm(Bounded x, const std::vector<double> &weight, double eps);
  Bounded rope(Bounded x, Value table, Value position);
  Bounded swiglu(const Bounded &gate, const Bounded &up);
  Bounded add(Bounded a, const Rows &b);
  bool checks() const { return bool(owner.options.check); }

  LogicalResult append(Operation *op, Value cache, FailureOr<Bounded> x,
                       Value position, Value result);
  LogicalResult give(Operation *op, FailureOr<Bounded> y);
  LogicalResult give(Operation *op, FailureOr<Rows> y) {
    return failed(y) ? failure() : give(op, FailureOr<Bounded>(exact(*y)));
  }

  const Rows &rows(Value value) const { return std::get<Rows>(at(value)); }
  int64_t index(Value value) const { return std::get<int64_t>(at(value)); }
  const HostValue &at(Value value) const { return values.find(value)->second; }
  double theta(Value table) const {
    return table.getDefiningOp<ir::RopeTableOp>().getTheta().convertToDouble();
  }
  static int64_t headWidth(Value table) {
    return cast<ir::WeightType>(table.getType()).getDim(1);
  }
  static llvm::StringRef parameter(Value weight) {
    return weight.getDefiningOp<ir::WeightOp>().getName();
  }

  Interpreter &owner;
  llvm::DenseMap<Value, HostValue> values;
  llvm::DenseMap<Value, Cache *> caches;
};

FailureOr<std::vector<double>> Step::vector(Operation *op, Value weight) {
  std::vector<double> values;
  int64_t width = cast<ir::WeightType>(weight.getType()).getDim(0);
  if (!owner.parameters.row(parameter(weight), 0, width, values))
    return op->emitOpError() << "`" << parameter(weight) << "` cannot be read";
  return values;
}

FailureOr<Bounded> Step::matmul(Operation *op, Value x, Value weight,
                                Value bias) {
  auto type = cast<ir::WeightType>(weight.getType());
  const Rows &in = rows(x);
  Bounded y = exact(Rows(in.tokens, type.getDim(0)));
  if (in.tokens == 0)
    return y;
  bool grouped = isa<ir::ActType>(x.getType());
  int64_t terms = termCount(in.width, grouped);
  bool read = owner.parameters.forEachRow(
      parameter(weight), type.getDim(0), type.getDim(1),
      [&](int64_t n, const double *row) {
        for (int64_t t = 0; t < in.tokens; ++t) {
          double value = y.value.row(t)[n] = dot(in.row(t), row, in.width);
          if (checks())
            y.bound.row(t)[n] = sumBound(
                terms, termSquares(in.row(t), row, in.width, grouped), value);
        }
      });
  if (!read)
    return op->emitOpError() << "`" << parameter(weight) << "` cannot be read";
  if (bias) {
    FailureOr<std::vector<double>> b = vector(op, bias);
    if (failed(b))
      return failure();
    Rows repeated(y.value.tokens, y.value.width);
    for (int64_t t = 0; t < repeated.tokens; ++t)
      std::copy(b->begin(), b->end(), repeated.row(t));
    y = add(std::move(y), repeated);
  }
  return y;
}

Bounded Step::rmsNorm(Bounded x, const std::vector<double> &weight,
                      double eps) {
  return {reference::rmsNorm(x.value, weight, eps),
          checks() ? rmsNormBound(x, weight, eps) : Rows()};
}

Bounded Step::rope(Bounded x, Value table, Value position) {
  double base = theta(table);
  int64_t width = headWidth(table), first = index(position);
  return {reference::rope(x.value, base, width, first),
          checks() ? ropeBound(x, base, width, first) : Rows()};
}

Bounded Step::swiglu(const Bounded &gate, const Bounded &up) {
  return {reference::swiglu(gate.value, up.value),
          checks() ? swigluBound(gate, up) : Rows()};
}

Bounded Step::add(Bounded a, const Rows &b) {
  return {reference::add(a.value, b), checks() ? addBound(a, b) : Rows()};
}

FailureOr<Bounded> Step::linearRope(Operation *op, Value x, Value weight,
                                    Value bias, Value norm,
                                    std::optional<llvm::APFloat> eps,
                                    Value table, Value position) {
  FailureOr<Bounded> y = matmul(op, x, weight, bias);
  if (failed(y))
    return failure();
  if (norm) {
    FailureOr<std::vector<double>> scale = vector(op, norm);
    if (failed(scale))
      return failure();
    y = rmsNorm(std::move(*y), *scale, eps->convertToDouble());
  }
  return rope(std::move(*y), table, position);
}

FailureOr<Rows> Step::embedding(ir::EmbeddingOp op) {
  const Ids &ids = std::get<Ids>(at(op.getIds()));
  ir::WeightType type = op.getWeight().getType();
  Rows y(int64_t(ids.size()), type.getDim(1));
  std::vector<double> row;
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] < 0 || ids[t] >= type.getDim(0))
      return op->emitOpError() << "id " << ids[t] << " is outside the "
                               << type.getDim(0) << " rows of the embedding";
    if (!owner.parameters.row(parameter(op.getWeight()), ids[t], type.getDim(1),
                              row))
      return op->emitOpError()
             << "`" << parameter(op.getWeight()) << "` cannot be read";
    std::copy(row.begin(), row.end(), y.row(int64_t(t)));
  }
  return y;
}

template <typename Op> LogicalResult Step::checkSeen(Op op, int64_t tokens) {
  const Cache &keys = *caches.at(op.getKeys());
  int64_t position = index(op.getPosition());
  auto seen = size_t((position + tokens) * keys.width);
  if (position < 0 || keys.values.size() < seen ||
      caches.at(op.getValues())->values.size() < seen)
    return op->emitOpError() << "reads position " << position + tokens - 1
                             << ", which nothing has written";
  return success();
}

FailureOr<Bounded> Step::attentionSpans(ir::AttentionSpanOp op) {
  const Rows &q = rows(op.getQ());
  if (failed(checkSeen(op, 1)))
    return failure();
  const Cache &keys = *caches.at(op.getKeys());
  const Cache &cached = *caches.at(op.getValues());
  int64_t position = index(op.getPosition());
  int64_t width = op.getKeys().getType().getHeadWidth();
  AttentionRows between;
  Bounded y{reference::attentionSpans(q, keys, cached, width, position,
                                      checks() ? &between : nullptr),
            {}};
  if (checks())
    y.bound = attentionSpansBound(q, keys, cached, width, position, between);
  return y;
}

Bounded Step::attentionMerge(ir::AttentionMergeOp op) {
  const Rows &parts = rows(op.getParts());
  int64_t position = index(op.getPosition()), heads = op.getHeads();
  int64_t width = ir::widthOf(op.getY().getType()) / heads;
  return {reference::attentionMerge(parts, heads, width, position),
          checks() ? attentionMergeBound(parts, heads, width, position)
                   : Rows()};
}

FailureOr<Bounded> Step::attention(ir::AttentionOp op) {
  const Rows &q = rows(op.getQ());
  int64_t position = index(op.getPosition());
  const Cache &keys = *caches.at(op.getKeys());
  const Cache &cached = *caches.at(op.getValues());
  if (failed(checkSeen(op, q.tokens)))
    return failure();
  AttentionRows between;
  int64_t width = op.getKeys().getType().getHeadWidth();
  bool wanted = owner.options.tap || checks();
  Bounded y{reference::attention(q, keys, cached, width, position,
                                 wanted ? &between : nullptr),
            {}};
  if (owner.options.tap) {
    std::string name = ir::nameOf(op.getLoc()).str();
    owner.options.tap(name + ".scores", between.scores);
    owner.options.tap(name + ".softmax", between.softmax);
  }
  if (checks())
    y.bound = attentionBound(q, keys, cached, width, position, between);
  return y;
}

LogicalResult Step::append(Operation *op, Value cache, FailureOr<Bounded> x,
                           Value position, Value result) {
  if (failed(x))
    return failure();
  Cache *target = caches.at(cache);
  if (owner.options.tap)
    owner.options.tap(ir::tapName(op), x->value);
  bool rounded = false;
  if (checks()) {
    addCacheRounding(*x, *target);
    if (auto other = owner.options.check(op, x->value, x->bound)) {
      x->value = std::move(*other);
      rounded = true;
    }
  }
  if (!target->append(x->value, index(position), rounded))
    return op->emitOpError()
           << x->value.tokens << " rows at position " << index(position)
           << " do not fit in a cache of " << target->capacity << " positions";
  caches[result] = target;
  return success();
}

LogicalResult Step::give(Operation *op, FailureOr<Bounded> y) {
  if (failed(y))
    return failure();
  if (owner.options.tap)
    owner.options.tap(ir::tapName(op), y->value);
  if (checks()) {
    // A step is what quantising may lose of a value, however it rounds.
    auto quantize = dyn_cast<ir::QuantizeOp>(op);
    Bounded seen = quantize ? Bounded{rows(quantize.getX()),
                                      quantizeBound(rows(quantize.getX()))}
                            : Bounded{y->value, y->bound};
    if (auto other = owner.options.check(op, seen.value, seen.bound))
      y->value = std::move(*other);
  }
  values[op->getResult(0)] = std::move(y->value);
  return success();
}

LogicalResult Step::visit(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<ir::WeightOp, ir::RopeTableOp, ir::BarrierOp>(
          [](Operation *) { return success(); })
      .Case([&](ir::CacheOp cache) {
        ir::CacheType type = cache.getResult().getType();
        Cache &state = owner.caches[{cache.getLayer(), cache.getKind()}];
        state.width = type.getHeads() * type.getHeadWidth();
        state.capacity = type.getPositions();
        state.headWidth = type.getHeadWidth();
        state.element = type.getElement().str();
        state.keys = cache.getKind() == ir::CacheKind::Key;
        caches[cache.getResult()] = &state;
        return success();
      })
      .Case([&](ir::EmbeddingOp op) { return give(op, embedding(op)); })
      .Case([&](ir::RmsNormOp op) -> LogicalResult {
        FailureOr<std::vector<double>> weight = vector(op, op.getWeight());
        if (failed(weight))
          return failure();
        return give(op,
                    FailureOr<Bounded>(rmsNorm(exact(rows(op.getX())), *weight,
                                               op.getEps().convertToDouble())));
      })
      .Case([&](ir::LinearOp op) -> LogicalResult {
        FailureOr<Bounded> y =
            matmul(op, op.getX(), op.getWeight(), op.getBias());
        if (succeeded(y) && op.getResidual())
          y = add(std::move(*y), rows(op.getResidual()));
        return give(op, std::move(y));
      })
      .Case([&](ir::RopeOp op) {
        return give(op,
                    FailureOr<Bounded>(rope(exact(rows(op.getX())),
                                            op.getTable(), op.getPosition())));
      })
      .Case<ir::KeyAppendOp, ir::ValueAppendOp>([&](auto op) {
        return append(op, op.getCache(), exact(rows(op.getX())),
                      op.getPosition(), op.getResult());
      })
      .Case([&](ir::AttentionOp op) { return give(op, attention(op)); })
      .Case(
          [&](ir::AttentionSpanOp op) { return give(op, attentionSpans(op)); })
      .Case([&](ir::AttentionMergeOp op) {
        return give(op, FailureOr<Bounded>(attentionMerge(op)));
      })
      .Case([&](ir::SwigluOp op) {
        return give(op, FailureOr<Bounded>(swiglu(exact(rows(op.getGate())),
                                                  exact(rows(op.getUp())))));
      })
      .Case([&](ir::AddOp op) {
        return give(op, FailureOr<Bounded>(
                            add(exact(rows(op.getA())), rows(op.getB()))));
      })
      .Case([&](ir::TailOp op) -> LogicalResult {
        const Rows &x = rows(op.getX());
        int64_t first = index(op.getFirst());
        if (first < 0 || first > x.tokens)
          return op->emitOpError()
                 << "row " << first << " of " << x.tokens << " is asked for";
        Rows y(x.tokens - first, x.width);
        std::copy(x.row(first), x.row(x.tokens), y.values.begin());
        return give(op, FailureOr<Rows>(std::move(y)));
      })
      .Case([&](ir::ArgmaxOp op) {
        values[op.getY()] = argmax(rows(op.getLogits()), op.getEligible());
        return success();
      })
      .Case([&](ir::LinearSwigluOp op) -> LogicalResult {
        FailureOr<Bounded> gate = matmul(op, op.getX(), op.getGate(), nullptr);
        FailureOr<Bounded> up = matmul(op, op.getX(), op.getUp(), nullptr);
        if (failed(gate) || failed(up))
          return failure();
        return give(op, FailureOr<Bounded>(swiglu(*gate, *up)));
      })
      .Case([&](ir::LinearRopeOp op) {
        return give(op, linearRope(op, op.getX(), op.getWeight(), op.getBias(),
                                   op.getNorm(), op.getEps(), op.getTable(),
                                   op.getPosition()));
      })
      .Case([&](ir::LinearRopeAppendOp op) {
        return append(op, op.getCache(),
                      linearRope(op, op.getX(), op.getWeight(), op.getBias(),
                                 op.getNorm(), op.getEps(), op.getTable(),
                                 op.getPosition()),
                      op.getPosition(), op.getResult());
      })
      .Case([&](ir::LinearAppendOp op) {
        return append(op, op.getCache(),
                      matmul(op, op.getX(), op.getWeight(), op.getBias()),
                      op.getPosition(), op.getResult());
      })
      .Case([&](ir::LinearCoarseOp op) {
        return give(op, matmul(op, op.getX(), op.getWeight(), nullptr));
      })
      .Case([&](ir::ScoreFloorOp op) {
        const Rows &scores = rows(op.getCoarse());
        const auto eligible = int64_t(op.getEligible());
        const int64_t rank = std::min(index(op.getRank()), eligible);
        const double margin = double(index(op.getMargin())) / 256;
        Rows y(scores.tokens, 1);
        for (int64_t t = 0; t < y.tokens; ++t) {
          std::vector<double> row(scores.row(t), scores.row(t) + eligible);
          std::sort(row.begin(), row.end(), std::greater<>());
          *y.row(t) = row[0] - margin;
          if (rank > 0)
            *y.row(t) = std::max(*y.row(t), row[size_t(rank - 1)]);
        }
        return give(op, FailureOr<Rows>(std::move(y)));
      })
      .Case([&](ir::LinearRescoreOp op) -> LogicalResult {
        FailureOr<Bounded> y = matmul(op, op.getX(), op.getWeight(), nullptr);
        if (failed(y))
          return failure();
        const Rows &floor = rows(op.getFloor());
        for (int64_t t = 0; t < y->value.tokens; ++t)
          for (int64_t n = 0; n < y->value.width; ++n)
            if (double &score = y->value.row(t)[n]; score < *floor.row(t))
              score = -std::numeric_limits<double>::infinity();
        return give(op, std::move(y));
      })
      .Case([&](ir::QuantizeOp op) {
        return give(op, FailureOr<Rows>(quantize(rows(op.getX()))));
      })
      .Default([](Operation *op) {
        return op->emitOpError() << "has no meaning on host values";
      });
}

FailureOr<std::vector<HostValue>> Step::run(func::FuncOp function,
                                            std::vector<HostValue> arguments) {
  Block &body = function.getBody().front();
  if (arguments.size() != body.getNumArguments())
    return function.emitOpError() << "takes " << body.getNumArguments()
                                  << " arguments, got " << arguments.size();
  for (auto [argument, value] : llvm::zip(body.getArguments(), arguments))
    values[argument] = std::move(value);
  for (Operation &op : body.without_terminator())
    if (failed(visit(&op)))
      return failure();
  std::vector<HostValue> results;
  for (Value result : body.getTerminator()->getOperands())
    results.push_back(at(result));
  return results;
}

Interpreter::Interpreter(InterpreterOptions options)
    : options(std::move(options)),
      parameters(this->options.parameters, this->options.keptBytes) {}

FailureOr<std::vector<HostValue>>
Interpreter::run(func::FuncOp function, std::vector<HostValue> arguments) {
  return Step(*this).run(function, std::move(arguments));
}

} // namespace qwen::reference
