// Stages.cpp - import, passes, and runs of the interpreter.
#include "tools/qwenc/verify/Stages.h"

#include "frontend/model/ImportModel.h"
#include "frontend/weights/Dequantize.h"
#include "frontend/weights/OpenModel.h"
#include "passes/ir/QwenOps.h"
#include "tools/qwenc/Reporting.h"
#include "tools/qwenc/TunedChoices.h"

#include <algorithm>
#include <iostream>

namespace qwen::verify {

std::unique_ptr<Stages> Stages::make(CompileOptions &options, bool passes) {
  std::unique_ptr<Stages> made(new Stages());
  Diagnostics loud(std::cerr);
  made->model = openModel(options.model, {options.ignoredKeys, ""}, loud);
  if (!made->model)
    return nullptr;
  if (!made->model->tensors) {
    reportError("`" + options.model + "` has no weights to compute with");
    return nullptr;
  }
  if (auto problem = applyTuned(made->model->spec, options)) {
    std::cerr << *problem << "\n";
    return nullptr;
  }
  options.ignoreTuned = true; // it is taken up
  options.pipeline.prefillChunk =
      std::min(options.pipeline.prefillChunk, *options.context);
  mlir::ScopedDiagnosticHandler handler(&made->context, reportDiagnostic);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      importModel(made->context, made->model->spec, &*made->model->tensors,
                  {*options.context, options.cacheType, 0});
  if (!module)
    return nullptr;
  PipelineOptions pipeline = options.pipeline;
  pipeline.stop = passes ? Stop::Planned : Stop::Graph;
  pipeline.afterPass = [&](llvm::StringRef pass, mlir::ModuleOp now) {
    if (options.pipeline.afterPass)
      options.pipeline.afterPass(pass, now);
    made->stages.push_back(
        {pass.str(), mlir::OwningOpRef<mlir::ModuleOp>(now.clone())});
  };
  Timings timings;
  PipelineResult result = runPipeline(*module, pipeline, timings);
  if (result.status == PipelineStatus::Ok)
    return made;
  if (result.status == PipelineStatus::Broken)
    reportError("the pass `" + result.failedPass + "` failed");
  return nullptr;
}

mlir::ModuleOp Stages::after(llvm::StringRef pass) const {
  for (const Stage &stage : stages)
    if (stage.pass == pass)
      return *stage.module;
  return nullptr;
}

reference::ParameterSource Stages::stored() {
  return [this](llvm::StringRef name, int64_t row0, int64_t rows,
                std::vector<double> &values) {
    auto tensor = model->tensors->find(name.str());
    return tensor != model->tensors->end() &&
           readTensorRows(tensor->second, row0, rows, values, diags);
  };
}

Complaints::Complaints(mlir::MLIRContext *context)
    : handler(context, [this](mlir::Diagnostic &diagnostic) {
        std::string text = diagnostic.str();
        if (size_t at = text.find(" op "); at != std::string::npos)
          text.erase(0, at + 4);
        if (first.empty())
          first =
              "`" + ir::nameOf(diagnostic.getLocation()).str() + "` " + text;
      }) {}

mlir::Operation *opNamed(mlir::func::FuncOp function, llvm::StringRef name) {
  for (mlir::Operation &op : function.getBody().front())
    if (ir::isCompute(&op) && ir::tapName(&op) == name)
      return &op;
  return nullptr;
}

mlir::func::FuncOp stepOf(mlir::ModuleOp module) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("prefill");
  return function ? function : module.lookupSymbol<mlir::func::FuncOp>("step");
}

mlir::func::FuncOp decodeOf(mlir::ModuleOp module) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>("decode");
  return function ? function : stepOf(module);
}

namespace {

reference::InterpreterOptions
interpreterOptions(const reference::ParameterSource &parameters, TapRows &taps,
                   bool exactRows) {
  reference::InterpreterOptions options;
  options.parameters = parameters;
  options.keptBytes = 0; // to read them again costs no more than to keep them
  options.tap = [&taps](llvm::StringRef name, const reference::Rows &rows) {
    if (!name.ends_with(".scores") && !name.ends_with(".softmax"))
      taps[name.str()] = rows;
  };
  if (exactRows)
    options.check = [](mlir::Operation *op, const reference::Rows &value,
                       const reference::Rows &) {
      return llvm::isa<ir::QuantizeOp>(op) ? std::optional(value)
                                           : std::nullopt;
    };
  return options;
}

} // namespace

llvm::Expected<TapRows> interpret(mlir::ModuleOp module,
                                  const reference::ParameterSource &parameters,
                                  const reference::Ids &ids, bool exactRows) {
  TapRows taps;
  Complaints complaints(module.getContext());
  reference::Interpreter interpreter(
      interpreterOptions(parameters, taps, exactRows));
  if (mlir::failed(
          interpreter.run(stepOf(module), {ids, int64_t(0), int64_t(0)})))
    return complaints.take();
  return taps;
}

reference::Rows idRow(int32_t id) {
  reference::Rows row(1, 1);
  row.values.front() = id;
  return row;
}

llvm::Expected<TapRows>
interpretDecode(mlir::ModuleOp module,
                const reference::ParameterSource &parameters,
                const reference::Ids &ids, TapRows *screened) {
  TapRows taps;
  Complaints complaints(module.getContext());
  reference::Interpreter interpreter(
      interpreterOptions(parameters, taps, /*exactRows=*/true));
  auto count = int64_t(ids.size()) - 1;
  reference::Ids before(ids.begin(), ids.end() - 1);
  mlir::func::FuncOp decode = decodeOf(module);
  if (count > 0 && mlir::failed(interpreter.run(stepOf(module),
                                                {before, int64_t(0), count})))
    return complaints.take();
  taps.clear();
  if (mlir::failed(interpreter.run(
          decode, {reference::Ids{ids.back()}, count, int64_t(0)})))
    return complaints.take();
  auto other = module.lookupSymbol<mlir::func::FuncOp>("decode_screened");
  if (!screened || !other)
    return taps;
  TapRows kept = std::move(taps);
  taps.clear();
  auto results = interpreter.run(other, {reference::Ids{ids.back()}, count,
                                         int64_t(0), kScreenedRank, kNoMargin});
  if (mlir::failed(results))
    return complaints.take();
  *screened = std::move(taps);
  other.walk([&](ir::ArgmaxOp op) {
    for (const reference::HostValue &value : *results)
      if (const auto *token = std::get_if<reference::Ids>(&value))
        (*screened)[ir::tapName(op)] = idRow(token->front());
  });
  return kept;
}

} // namespace qwen::verify
