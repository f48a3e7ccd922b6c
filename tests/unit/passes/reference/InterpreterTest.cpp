// InterpreterTest.cpp - functions of the dialect run as their ops say, caches
// last from step to step, fused ops mean what they replace.
// Run: build/bin/unit_passes_reference --gtest_filter='Interpreter*'
#include "passes/reference/Interpreter.h"
#include "passes/transforms/Passes.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

namespace qwen::reference {
namespace {

using Values = std::map<std::string, std::vector<double>>;

/// A function, its interpreter, and what it said.
class Program {
public:
  Program(const std::string &text, Values values) : values(std::move(values)) {
    context.loadDialect<mlir::func::FuncDialect, ir::QwenDialect>();
    context.getDiagEngine().registerHandler(
        [this](mlir::Diagnostic &diagnostic) { said += diagnostic.str(); });
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << said;
    InterpreterOptions options;
    options.parameters = [this](llvm::StringRef name, int64_t row0,
                                int64_t rows, std::vector<double> &out) {
      auto found = this->values.find(name.str());
      if (found == this->values.end())
        return false;
      // Rows of a matrix are as wide as its values say; a vector is one row.
      size_t width = found->second.size() / size_t(rowCounts[name.str()]);
      out.assign(found->second.begin() + int64_t(row0 * int64_t(width)),
                 found->second.begin() +
                     int64_t((row0 + rows) * int64_t(width)));
      return true;
    };
    options.tap = [this](llvm::StringRef name, const Rows &rows) {
      taps[name.str()] = rows;
    };
    for (const auto &[name, all] : this->values)
      rowCounts[name] = 1;
    module->walk([&](ir::WeightOp op) {
      ir::WeightType type = op.getResult().getType();
      if (type.isMatrix())
        rowCounts[op.getName().str()] = type.getDim(0);
    });
    interpreter.emplace(std::move(options));
  }

  std::optional<std::vector<HostValue>> run(std::vector<HostValue> arguments) {
    auto results = interpreter->run(
        *module->getOps<mlir::func::FuncOp>().begin(), std::move(arguments));
    if (mlir::failed(results))
      return std::nullopt;
    std::vector<HostValue> values = std::move(*results);
    return values;
  }

  /// The first result's values.
  std::vector<double> rows(std::vector<HostValue> arguments) {
    auto results = run(std::move(arguments));
    EXPECT_TRUE(results) << said;
    return results ? std::get<Rows>((*results)[0]).values
                   : std::vector<double>();
  }

  void fuse() {
    mlir::PassManager manager(&context);
    manager.addPass(createFuseRope());
    manager.addPass(createFuseSwiglu());
    manager.addPass(createFuseResidual());
    ASSERT_TRUE(mlir::succeeded(manager.run(*module))) << said;
  }

  int64_t count(llvm::StringRef opName) {
    int64_t found = 0;
    module->walk([&](mlir::Operation *op) {
      found += op->getName().getStringRef() == opName;
    });
    return found;
  }

  std::map<std::string, Rows> taps;
  std::string said;
  std::optional<Interpreter> interpreter;

private:
  Values values;
  std::map<std::string, int64_t> rowCounts;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

Rows makeRows(int64_t tokens, std::vector<double> values) {
  Rows rows(tokens, int64_t(values.size()) / tokens);
  rows.values = std::move(values);
  return rows;
}

TEST(Interpreter, LinearAddsBiasAndResidual) {
  Program program(R"(
    func.func @f(%x: tensor<?x2xf32>, %r: tensor<?x3xf32>) -> tensor<?x3xf32> {
      %w = qwen.weight "w" : !qwen.weight<[3, 2], "bf16", "stored">
      %b = qwen.weight "b" : !qwen.weight<[3], "f32", "vec">
      %y = qwen.linear %x, %w bias %b residual %r : (tensor<?x2xf32>,
          !qwen.weight<[3, 2], "bf16", "stored">, !qwen.weight<[3], "f32", "vec">,
          tensor<?x3xf32>) -> tensor<?x3xf32> loc("here")
      return %y : tensor<?x3xf32>
    })",
                  {{"w", {1, 2, 3, 4, 5, 6}}, {"b", {100, 200, 300}}});
  std::vector<double> y = program.rows(
      {makeRows(2, {1, 0, 1, 1}), makeRows(2, {1, 2, 3, 0, 0, 0})});
  EXPECT_EQ(y, (std::vector<double>{102, 205, 308, 103, 207, 311}));
  EXPECT_EQ(program.taps.at("here").values, y);
}

TEST(Interpreter, EmbeddingTakesTheRowOfEachId) {
  Program program(R"(
    func.func @f(%ids: tensor<?xi32>) -> tensor<?x2xf32> {
      %w = qwen.weight "w" : !qwen.weight<[3, 2], "bf16", "stored">
      %y = qwen.embedding %ids, %w : (tensor<?xi32>, !qwen.weight<[3, 2], "bf16", "stored">)
          -> tensor<?x2xf32>
      return %y : tensor<?x2xf32>
    })",
                  {{"w", {1, 2, 3, 4, 5, 6}}});
  EXPECT_EQ(program.rows({Ids{2, 0}}), (std::vector<double>{5, 6, 1, 2}));
  EXPECT_FALSE(program.run({Ids{3}}));
  EXPECT_EQ(program.said,
            "'qwen.embedding' op id 3 is outside the 3 rows of the embedding");
}

TEST(Interpreter, TailKeepsTheLastRows) {
  Program program(R"(
    func.func @f(%x: tensor<?x1xf32>, %first: index) -> (tensor<?x1xf32>, tensor<?xi32>) {
      %y = qwen.tail %x, %first : tensor<?x1xf32> -> tensor<?x1xf32>
      %ids = qwen.argmax %y {eligible = 1 : i64} : tensor<?x1xf32> -> tensor<?xi32>
      return %y, %ids : tensor<?x1xf32>, tensor<?xi32>
    })",
                  {});
  EXPECT_EQ(program.rows({makeRows(3, {1, 2, 3}), int64_t(1)}),
            (std::vector<double>{2, 3}));
  auto none = program.run({makeRows(3, {1, 2, 3}), int64_t(3)});
  ASSERT_TRUE(none);
  EXPECT_EQ(std::get<Rows>((*none)[0]).tokens, 0);
  EXPECT_TRUE(std::get<Ids>((*none)[1]).empty());
  EXPECT_FALSE(program.run({makeRows(3, {1, 2, 3}), int64_t(4)}));
}

constexpr const char *kAttention = R"(
  func.func @f(%q: tensor<?x2xf32>, %x: tensor<?x2xf32>, %position: index) -> tensor<?x2xf32> {
    %k = qwen.cache key layer 0 : !qwen.cache<[64, 1, 2], "f32">
    %v = qwen.cache value layer 0 : !qwen.cache<[64, 1, 2], "f32">
    %k1 = qwen.key_append %k, %q, %position : !qwen.cache<[64, 1, 2], "f32">, tensor<?x2xf32>
    %v1 = qwen.value_append %v, %x, %position : !qwen.cache<[64, 1, 2], "f32">, tensor<?x2xf32>
    %y = qwen.attention %q, %k1, %v1, %position {heads = 1 : i64} : tensor<?x2xf32>,
        !qwen.cache<[64, 1, 2], "f32">, !qwen.cache<[64, 1, 2], "f32">
    return %y : tensor<?x2xf32>
  })";

TEST(Interpreter, CachesLastFromStepToStep) {
  Program whole(kAttention, {}), split(kAttention, {});
  std::vector<double> q = {1, 0, 0, 1, 0.5, 2}, x = {1, 2, 3, 4, 5, 6};
  std::vector<double> all =
      whole.rows({makeRows(3, q), makeRows(3, x), int64_t(0)});
  std::vector<double> parts;
  for (int64_t t = 0; t < 3; ++t) {
    auto at = size_t(2 * t);
    for (double value : split.rows({makeRows(1, {q[at], q[at + 1]}),
                                    makeRows(1, {x[at], x[at + 1]}), t}))
      parts.push_back(value);
  }
  EXPECT_EQ(parts, all);
}

TEST(Interpreter, PositionsThatNothingWroteAreNoted) {
  Program program(kAttention, {});
  ASSERT_TRUE(
      program.run({makeRows(1, {1, 0}), makeRows(1, {1, 2}), int64_t(0)}));
  // Position 1 is skipped: its keys are NaN, and so is what depends on them.
  std::vector<double> y =
      program.rows({makeRows(1, {1, 0}), makeRows(1, {1, 2}), int64_t(2)});
  EXPECT_TRUE(std::isnan(y[0]));
  program.interpreter->clear();
  EXPECT_FALSE(
      program.run({makeRows(1, {1, 0}), makeRows(1, {1, 2}), int64_t(64)}));
  EXPECT_EQ(program.said, "'qwen.key_append' op 1 rows at position 64 do not "
                          "fit in a cache of 64 positions");
}

TEST(Interpreter, MissingParametersAreNamed) {
  Program program(R"(
    func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
      %w = qwen.weight "norm" : !qwen.weight<[2], "f32", "vec">
      %y = qwen.rms_norm %x, %w {eps = 1.0 : f64, heads = 1 : i64} : tensor<?x2xf32>,
          !qwen.weight<[2], "f32", "vec">
      return %y : tensor<?x2xf32>
    })",
                  {});
  EXPECT_FALSE(program.run({makeRows(1, {1, 2})}));
  EXPECT_EQ(program.said, "'qwen.rms_norm' op `norm` cannot be read");
}

TEST(Interpreter, ArgumentsAreCounted) {
  Program program(kAttention, {});
  EXPECT_FALSE(program.run({int64_t(0)}));
  EXPECT_EQ(program.said, "'func.func' op takes 3 arguments, got 1");
}

// Every fused op, with and without what is optional, against what it replaces.
constexpr const char *kLayer = R"(
  !x = tensor<?x4xf32>
  !w = !qwen.weight<[4, 4], "bf16", "stored">
  !b = !qwen.weight<[4], "f32", "vec">
  !n = !qwen.weight<[2], "f32", "vec">
  !t = !qwen.weight<[64, 2], "f32", "rope">
  !c = !qwen.cache<[64, 2, 2], "f32">
  func.func @f(%x: !x, %position: index) -> (!x, !x) {
    %t = qwen.rope_table {theta = 10.0 : f64} : !t
    %w = qwen.weight "w" : !w
    %u = qwen.weight "u" : !w
    %b = qwen.weight "b" : !b
    %n = qwen.weight "n" : !n
    %q0 = qwen.linear %x, %w bias %b : (!x, !w, !b) -> !x
    %q = qwen.rope %q0, %t, %position {heads = 2 : i64} : !x, !t
    %k0 = qwen.linear %x, %u : (!x, !w) -> !x
    %k1 = qwen.rms_norm %k0, %n {eps = 0.5 : f64, heads = 2 : i64} : !x, !n
    %k2 = qwen.rope %k1, %t, %position {heads = 2 : i64} : !x, !t
    %v0 = qwen.linear %x, %w bias %b : (!x, !w, !b) -> !x
    %ck = qwen.cache key layer 0 : !c
    %cv = qwen.cache value layer 0 : !c
    %keys = qwen.key_append %ck, %k2, %position : !c, !x
    %values = qwen.value_append %cv, %v0, %position : !c, !x
    %a = qwen.attention %q, %keys, %values, %position {heads = 2 : i64} : !x, !c, !c
    %o = qwen.linear %a, %u : (!x, !w) -> !x
    %r = qwen.add %x, %o : !x
    %gate = qwen.linear %r, %w : (!x, !w) -> !x
    %up = qwen.linear %r, %u : (!x, !w) -> !x
    %y = qwen.swiglu %gate, %up : !x
    return %y, %q : !x, !x
  })";

TEST(Interpreter, FusedOpsMeanWhatTheyReplace) {
  Values values = {
      {"w", {}}, {"u", {}}, {"b", {1, -2, 0.5, 3}}, {"n", {2, -1}}};
  for (int i = 0; i < 16; ++i) {
    values["w"].push_back((i * 7 % 16 - 8) / 8.0);
    values["u"].push_back((i * 5 % 16 - 7) / 8.0);
  }
  Program plain(kLayer, values), fused(kLayer, values);
  fused.fuse();
  EXPECT_EQ(fused.count("qwen.linear_rope"), 1);
  EXPECT_EQ(fused.count("qwen.linear_rope_append"), 1);
  EXPECT_EQ(fused.count("qwen.linear_append"), 1);
  EXPECT_EQ(fused.count("qwen.linear_swiglu"), 1);
  EXPECT_EQ(fused.count("qwen.linear"), 1);
  EXPECT_EQ(fused.count("qwen.add"), 0);
  Rows x = makeRows(2, {1, -1, 0.25, 2, 0, 3, -2, 1});
  // A second step reads what the first one appended.
  for (int64_t position : {0, 2}) {
    auto expected = plain.run({x, position}), got = fused.run({x, position});
    ASSERT_TRUE(expected && got) << plain.said << fused.said;
    for (size_t i = 0; i < 2; ++i)
      EXPECT_EQ(std::get<Rows>((*got)[i]).values,
                std::get<Rows>((*expected)[i]).values);
  }
}

TEST(Interpreter, QuantisedRowsFeedALinear) {
  Program program(R"(
    func.func @f(%x: tensor<?x32xf32>) -> tensor<?x1xf32> {
      %w = qwen.weight "w" : !qwen.weight<[1, 32], "bf16", "stored">
      %q = qwen.quantize %x : tensor<?x32xf32> -> !qwen.act<32, "q8g32">
      %y = qwen.linear %q, %w : (!qwen.act<32, "q8g32">, !qwen.weight<[1, 32], "bf16", "stored">)
          -> tensor<?x1xf32>
      return %y : tensor<?x1xf32>
    })",
                  {{"w", std::vector<double>(32, 1)}});
  std::vector<double> x(32);
  x[0] = 127;  // scale 1
  x[1] = 0.75; // rounds to 1
  EXPECT_EQ(program.rows({makeRows(1, x)}), (std::vector<double>{128}));
}

} // namespace
} // namespace qwen::reference
