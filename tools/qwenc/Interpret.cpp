// Interpret.cpp - `qwenc interpret`: a model's step in f64 by the reference
// interpreter, with what every op gives on request.
#include "codegen/emit/OutputFile.h"
#include "frontend/diag/Json.h"
#include "frontend/model/ImportModel.h"
#include "frontend/weights/Dequantize.h"
#include "frontend/weights/OpenModel.h"
#include "passes/pipeline/Pipeline.h"
#include "passes/reference/Interpreter.h"
#include "tools/qwenc/Command.h"
#include "tools/qwenc/Reporting.h"

#include "llvm/Support/FileSystem.h"

#include <iostream>
#include <memory>

namespace qwen {
namespace {

struct InterpretOptions {
  std::string model, idsPath, output, tapsFolder;
  std::optional<int64_t> context;
  std::string cacheType = "f32";
  bool fused = false;
  std::vector<std::string> ignoredKeys;
};

/// A .npy file of f64 [tokens, width].
llvm::Error writeNpy(const std::string &path, const reference::Rows &rows) {
  std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows.tokens) + ", " +
                       std::to_string(rows.width) + "), }";
  constexpr size_t kPrefix = 10, kAlignment = 64;
  header.append(kAlignment - 1 - (kPrefix + header.size()) % kAlignment, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += char(header.size() & 0xff);
  bytes += char(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char *>(rows.values.data()),
               rows.values.size() * sizeof(double));
  return writeOutput(path, bytes);
}

/// Token ids separated by blanks or commas, each below `vocabSize`.
llvm::Expected<reference::Ids> readIds(const std::string &path,
                                       int64_t vocabSize, Diagnostics &diags) {
  std::optional<std::string> text = readTextFile(path, diags);
  if (!text)
    return llvm::createStringError("");
  reference::Ids ids;
  for (llvm::StringRef rest = *text;;) {
    rest = rest.ltrim(" \t\r\n,");
    if (rest.empty())
      break;
    llvm::StringRef word = rest.take_until(
        [](char c) { return llvm::StringRef(" \t\r\n,").contains(c); });
    rest = rest.drop_front(word.size());
    int64_t id = 0;
    if (word.getAsInteger(10, id) || id < 0 || id >= vocabSize)
      return userError("`" + word.take_front(20) +
                       "` is no token id; the model has " +
                       std::to_string(vocabSize));
    ids.push_back(int32_t(id));
  }
  if (ids.empty())
    return userError("`" + path + "` holds no token ids");
  return ids;
}

class Interpretation {
public:
  explicit Interpretation(const InterpretOptions &options)
      : options(options), diags(std::cerr) {}

  int run() {
    source = openModel(options.model, {options.ignoredKeys, ""}, diags);
    if (!source)
      return kExitUser;
    if (!source->tensors) {
      reportError("`" + options.model + "` has no weights to compute with");
      return kExitUser;
    }
    llvm::Expected<reference::Ids> ids =
        readIds(options.idsPath, source->spec.vocabSize, diags);
    if (!ids)
      return reportError(ids.takeError());
    return interpret(*ids);
  }

private:
  const InterpretOptions &options;
  Diagnostics diags;
  std::optional<CheckpointSource> source;

  int interpret(const reference::Ids &ids) {
    auto count = int64_t(ids.size());
    int64_t room = options.context.value_or(count);
    if (count > room) {
      reportError("`" + options.idsPath + "` holds " + std::to_string(count) +
                  " token ids; the context is " + std::to_string(room));
      return kExitUser;
    }
    if (room > source->spec.maxPositions) {
      reportError("the context is " + std::to_string(room) +
                  "; the model takes 1 to " +
                  std::to_string(source->spec.maxPositions) + " tokens");
      return kExitUser;
    }
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    mlir::ScopedDiagnosticHandler handler(&context, reportDiagnostic);
    mlir::OwningOpRef<mlir::ModuleOp> module = importModel(
        context, source->spec, &*source->tensors, {room, options.cacheType, 0});
    if (!module)
      return kExitUser;
    PipelineOptions pipeline;
    pipeline.stop = options.fused ? Stop::Fused : Stop::Graph;
    Timings timings;
    PipelineResult passes = runPipeline(*module, pipeline, timings);
    if (passes.status != PipelineStatus::Ok)
      return reportBroken(passes.failedPass, *module, pipeline.str());

    llvm::Error tapError = llvm::Error::success();
    reference::Interpreter interpreter(interpreterOptions(tapError));
    auto results =
        interpreter.run(module->lookupSymbol<mlir::func::FuncOp>("step"),
                        {ids, int64_t(0), int64_t(0)});
    if (tapError)
      return reportError(std::move(tapError));
    if (mlir::failed(results))
      return kExitUser;
    if (!options.output.empty())
      if (llvm::Error error = writeNpy(
              options.output, std::get<reference::Rows>((*results)[0])))
        return reportError(std::move(error));
    if (options.output != "-")
      for (int32_t token : std::get<reference::Ids>((*results)[1]))
        std::cout << token << "\n";
    return 0;
  }

  reference::InterpreterOptions interpreterOptions(llvm::Error &tapError) {
    reference::InterpreterOptions interpreter;
    interpreter.parameters = [this](llvm::StringRef name, int64_t row0,
                                    int64_t rows, std::vector<double> &values) {
      auto tensor = source->tensors->find(name.str());
      return tensor != source->tensors->end() &&
             readTensorRows(tensor->second, row0, rows, values, diags);
    };
    if (options.tapsFolder.empty())
      return interpreter;
    if (std::error_code error =
            llvm::sys::fs::create_directories(options.tapsFolder))
      tapError = userError("`" + options.tapsFolder +
                           "` cannot be made: " + error.message());
    interpreter.tap = [this, &tapError](llvm::StringRef name,
                                        const reference::Rows &rows) {
      if (!tapError)
        tapError =
            writeNpy(options.tapsFolder + "/" + name.str() + ".npy", rows);
    };
    return interpreter;
  }
};

} // namespace

std::function<int()> addInterpretCommand(CLI::App &app) {
  auto options = std::make_shared<InterpretOptions>();
  CLI::App *command = app.add_subcommand(
      "interpret", "compute a model's step in f64, without compiling it");
  command
      ->add_option("model", options->model,
                   "a Hugging Face folder, a hub name in the local cache, or a "
                   ".gguf")
      ->required();
  command
      ->add_option("--ids", options->idsPath,
                   "token ids separated by blanks or commas")
      ->required();
  command->add_option("-o,--output", options->output,
                      "write the logits of every position, .npy f64 [T, V]");
  command->add_option("--taps", options->tapsFolder,
                      "write what each op gives into this folder, NAME.npy");
  command
      ->add_option("--context", options->context,
                   "tokens that the cache can hold; default those given")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--cache-type", options->cacheType,
                   "f32, f16, int16 or int8")
      ->check(CLI::IsMember({"f32", "f16", "int16", "int8"}))
      ->capture_default_str();
  command->add_flag("--fused", options->fused,
                    "after the fusion passes rather than as imported");
  command
      ->add_option("--ignore-key", options->ignoredKeys,
                   "read the config as if it had no such key")
      ->allow_extra_args(false);
  return [options] { return Interpretation(*options).run(); };
}

} // namespace qwen
