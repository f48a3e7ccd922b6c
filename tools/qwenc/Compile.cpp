// Compile.cpp - `qwenc compile`: from a model to any stop, the executable and
// its weights file included.
#include "codegen/catalog/Catalog.h"
#include "codegen/emit/KernelObjects.h"
#include "codegen/emit/Link.h"
#include "codegen/emit/LowerToLLVM.h"
#include "codegen/emit/ObjectFile.h"
#include "codegen/emit/OutputFile.h"
#include "codegen/emit/WeightsFile.h"
#include "frontend/config/ReadBuild.h"
#include "frontend/diag/Json.h"
#include "frontend/model/ImportModel.h"
#include "frontend/tokenizer/TokenizerImport.h"
#include "frontend/weights/OpenModel.h"
#include "passes/ir/QwenOps.h"
#include "passes/pipeline/PassTrace.h"
#include "qwen/qwen.h"
#include "tools/qwenc/Command.h"
#include "tools/qwenc/CompileOptions.h"
#include "tools/qwenc/ModelText.h"
#include "tools/qwenc/Reporting.h"
#include "tools/qwenc/ScheduledKernels.h"
#include "tools/qwenc/Siblings.h"
#include "tools/qwenc/TunedChoices.h"
#include "tools/qwenc/bits/Bits.h"
#include "tools/qwenc/verify/Verify.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>
#include <iostream>
#include <memory>
#include <sstream>

namespace qwen {
namespace {

constexpr int64_t kDefaultContext = 4096;

class Compilation {
public:
  explicit Compilation(CompileOptions options)
      : options(std::move(options)), trace("", timings) {}

  int run() {
    if (int code = readNamedBuild())
      return code;
    if (std::optional<std::string> problem = resolve(options)) {
      reportError(*problem);
      return kExitUser;
    }
    int code = compile();
    if (code == 0 && options.time)
      printTimings(timings);
    return code;
  }

  /// Up to the scheduled stop, and then no output: what is called how often.
  int collect(ScheduledKernels &result) {
    options.stop = "scheduled";
    options.output = "-";
    if (int code = readNamedBuild())
      return code;
    if (std::optional<std::string> problem = resolve(options)) {
      reportError(*problem);
      return kExitUser;
    }
    mlir::ScopedDiagnosticHandler handler(&context, reportDiagnostic);
    if (int code = passesOnly())
      return code;
    module->walk([&](mlir::Operation *op) {
      auto partition = ir::getPartition(op);
      if (!ir::isCompute(op) || !partition)
        return;
      std::string symbol = ir::getKernel(op).str();
      auto row = llvm::find_if(result.calls, [&](const auto &known) {
        return known.first == symbol;
      });
      if (row == result.calls.end())
        row = result.calls.insert(result.calls.end(), {symbol, 0});
      row->second += partition.getChunks();
    });
    result.options = options;
    if (source)
      result.model = modelKey(source->spec, options);
    return 0;
  }

private:
  CompileOptions options;
  Timings timings;
  PassTrace trace;
  std::optional<CheckpointSource> source; // absent for an .mlir file
  std::string tokenizer;                  // its section of the weights file
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  // The modules go before the context they live in.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::OwningOpRef<mlir::ModuleOp> imported; // what a reproducer starts from
  CompileOptions untuned; // as they were before a target's tuned choices

  /// A JSON file that names a model is a build: its values count where the
  /// command line gave none.
  int readNamedBuild() {
    if (!llvm::StringRef(options.model).ends_with(".json"))
      return 0;
    std::ostringstream ignored;
    Diagnostics quiet(ignored);
    std::optional<JsonValue> root = readJsonFile(options.model, quiet);
    if (!root || !root->find("model") || root->find("model_type"))
      return 0;
    Diagnostics diags(std::cerr);
    std::optional<BuildConfig> build = readBuild(options.model, diags);
    if (!build)
      return kExitUser;
    options.model = build->model;
    auto take = [](auto &option, const auto &value, bool given) {
      if (value && !given)
        option = *value;
    };
    take(options.pipeline.format, build->format, options.formatGiven);
    take(options.pipeline.activations, build->activations,
         options.activationsGiven);
    take(options.pipeline.target, build->target, options.targetGiven);
    if (!options.context)
      options.context = build->context;
    return 0;
  }

  int passesOnly() {
    context.loadDialect<mlir::func::FuncDialect, ir::QwenDialect,
                        mlir::LLVM::LLVMDialect>();
    bool isText = llvm::StringRef(options.model).ends_with(".mlir");
    int code = isText ? parse() : import();
    if (code != 0 || options.pipeline.stop == Stop::Spec)
      return code;
    imported = mlir::OwningOpRef<mlir::ModuleOp>(module->clone());
    if (!ir::getPlan(*module))
      code = runPasses();
    return code;
  }

  int compile() {
    mlir::ScopedDiagnosticHandler handler(&context, reportDiagnostic);
    int code = passesOnly();
    if (code != 0 || options.pipeline.stop == Stop::Spec)
      return code;
    return options.pipeline.stop <= Stop::Planned ? writeIR() : emit();
  }

  int parse() {
    module = mlir::parseSourceFile<mlir::ModuleOp>(options.model, &context);
    if (!module)
      return kExitUser;
    if (options.pipeline.stop == Stop::Spec ||
        options.pipeline.stop == Stop::Executable) {
      reportError("an .mlir file does not lead to `--emit=" + options.stop +
                  "`");
      return kExitUser;
    }
    return 0;
  }

  int import() {
    Diagnostics diags(std::cerr);
    source = trace.timed("open", [&] {
      return openModel(options.model, {options.ignoredKeys, ""}, diags);
    });
    if (!source)
      return kExitUser;
    if (options.pipeline.stop == Stop::Spec) {
      if (llvm::Error error =
              writeOutput(options.output, specText(source->spec)))
        return reportError(std::move(error));
      return 0;
    }
    if (options.embedWeights && !source->tensors) {
      reportError("`" + options.model + "` has no weights to embed");
      return kExitUser;
    }
    if (options.check && !source->tensors) {
      reportError("`" + options.model + "` has no weights to check with");
      return kExitUser;
    }
    int64_t most = source->spec.maxPositions;
    if (!options.context)
      options.context = std::min(kDefaultContext, most);
    if (*options.context < 1 || *options.context > most) {
      reportError("`--context` is " + std::to_string(*options.context) +
                  "; the model takes 1 to " + std::to_string(most) + " tokens");
      return kExitUser;
    }
    if (int code = chooseFormats())
      return code;
    untuned = options;
    if (int code = tune())
      return code;
    if (!importTokenizer(diags))
      return kExitUser;
    ImportOptions import{*options.context, options.cacheType, generatedIds()};
    module = trace.timed("import", [&] {
      return importModel(context, source->spec,
                         source->tensors ? &*source->tensors : nullptr, import);
    });
    return module ? 0 : kExitUser;
  }

  /// For `--bits`: measured here, or before by whoever compiles several.
  int chooseFormats() {
    if (!options.bits)
      return 0;
    if (!options.search) {
      // A place that cannot be written shows before the long work.
      OutputFile place(options.output);
      if (llvm::Error error = place.write(""))
        return reportError(std::move(error));
      auto made = trace.timed("measure-formats", [&] {
        return bits::Search::make(options, *options.bits);
      });
      if (!made)
        return reportError(made.takeError());
      options.search = *made;
    }
    auto chosen = trace.timed("choose-formats", [&] {
      return options.search->choose(*options.bits);
    });
    if (!chosen)
      return reportError(chosen.takeError());
    options.requantised = *chosen;
    options.pipeline.format = (*chosen)->format;
    options.pipeline.anyStored = true;
    return 0;
  }

  /// What was measured on this machine for the target that is being built.
  int tune() {
    if (std::optional<std::string> problem =
            applyTuned(source->spec, options)) {
      llvm::errs() << *problem << "\n";
      return kExitUser;
    }
    options.pipeline.prefillChunk =
        std::min(options.pipeline.prefillChunk, *options.context);
    return 0;
  }

  /// Only what ends in an executable needs the table itself, but every stop
  /// needs to know how many ids it has.
  bool importTokenizer(Diagnostics &diags) {
    if (source->tokenizerPath.empty())
      return true;
    std::optional<std::vector<uint8_t>> bytes = trace.timed("tokenizer", [&] {
      int64_t vocab = source->spec.vocabSize;
      return source->gguf
                 ? importTokenizerGguf(*source->gguf, vocab, diags)
                 : importTokenizerJson(source->tokenizerPath, vocab, diags);
    });
    if (bytes)
      tokenizer.assign(bytes->begin(), bytes->end());
    return bytes.has_value();
  }

  /// Ids below this one can be generated: what lies above are padding rows. 0
  /// when nothing is known.
  int64_t generatedIds() const {
    if (tokenizer.empty())
      return 0;
    qwen_tokenizer_header header;
    std::memcpy(&header, tokenizer.data(), sizeof(header));
    int64_t count = header.vocab_size;
    while (count > 1 &&
           (tokenizer[header.token_flags + count - 1] & QWEN_TOKEN_UNUSED))
      --count;
    return count;
  }

  int runPasses() {
    PipelineResult result = runPipeline(*module, options.pipeline, timings);
    switch (result.status) {
    case PipelineStatus::Ok:
      return 0;
    case PipelineStatus::UserError:
      return kExitUser;
    case PipelineStatus::Broken:
      return reportBroken(result.failedPass, *imported, options.pipeline.str());
    }
    llvm_unreachable("every status is handled");
  }

  int writeIR() {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module->print(stream);
    stream << "\n";
    if (llvm::Error error = writeOutput(options.output, text))
      return reportError(std::move(error));
    return 0;
  }

  /// Of the target that is being built, which is number `index`.
  PlanFacts planFacts(size_t index, const std::string &check) {
    PlanFacts facts;
    if (index > 0)
      facts.symbol = planSymbol(index);
    if (index + 1 < options.targets.size())
      facts.nextSymbol = planSymbol(index + 1);
    const CatalogTarget *target =
        KernelCatalog::builtin().target(options.pipeline.target);
    facts.target = target->name;
    facts.features = target->features;
    facts.description = "{}";
    if (!source)
      return facts;
    const ModelSpec &spec = source->spec;
    facts.description =
        descriptionText(*source, options, kernelSymbols(*module), check);
    facts.hiddenSize = spec.hiddenSize;
    facts.ffnSize = spec.ffnSize;
    facts.layers = spec.layers;
    facts.queryHeads = spec.queryHeads;
    facts.keyValueHeads = spec.keyValueHeads;
    facts.headWidth = spec.headWidth;
    facts.vocabSize = spec.vocabSize;
    facts.context = *options.context;
    facts.barrierSpinUs = options.barrierSpinUs;
    return facts;
  }

  std::string planSymbol(size_t index) const {
    return std::string(kPlanSymbol) + "_" + options.targets[index];
  }

  /// Another target's program, from the same import.
  int retarget(size_t index) {
    options = untuned;
    options.pipeline.target = options.targets[index];
    if (int code = tune())
      return code;
    module = mlir::OwningOpRef<mlir::ModuleOp>(imported->clone());
    return runPasses();
  }

  /// The first target that this machine can run; 0 where nothing is to be run.
  size_t checkedTarget() const {
    size_t index = 0;
    while (
        options.check &&
        !llvm::all_of(
            KernelCatalog::builtin().target(options.targets[index])->features,
            cpuHasFeature))
      ++index;
    return index;
  }

  int emit() {
    WeightsFile weights;
    std::vector<std::string> objects;
    std::vector<std::string> symbols; // a kernel belongs to one target
    // The result of a check becomes part of the plan, which is lowered again.
    mlir::OwningOpRef<mlir::ModuleOp> planned;
    CompileOptions checked;
    const size_t checkedIndex = checkedTarget();
    for (size_t i = 0; i < options.targets.size(); ++i) {
      if (i > 0)
        if (int code = retarget(i))
          return code;
      const Fingerprint fingerprint = fingerprintOf(*module, planFacts(i, ""));
      if (i == 0)
        weights = {fingerprint,
                   ir::getPlan(*module).getWeightsBytes(),
                   packedTensors(*module),
                   {},
                   tokenizer,
                   ""};
      else if (fingerprint != weights.fingerprint)
        return reportBroken("plan-weights", *imported, options.pipeline.str());
      llvm::append_range(symbols, kernelSymbols(*module));
      if (options.check && i == checkedIndex) {
        planned = module->clone();
        checked = options;
      }
      if (int code = makeObject(i, fingerprint, "", objects.emplace_back()))
        return code;
    }
    if (options.pipeline.stop < Stop::Executable)
      return 0;

    std::string compiler = siblingOf("qwenc-kernel");
    // A place that cannot be written shows before the long work.
    OutputFile executable(options.output);
    if (llvm::Error error = executable.write(""))
      return reportError(std::move(error));
    auto kernels = trace.timed("kernels", [&] {
      return kernelObjects(symbols, {compiler, "", options.jobs});
    });
    if (!kernels)
      return reportError(kernels.takeError());
    if (llvm::Error error = link(objects, *kernels, executable))
      return reportError(std::move(error));

    OutputFile packed(options.output + ".weights");
    std::string packedPath;
    if (options.zeroWeights) {
      if (llvm::Error error = writeZeroWeights(weights, packed))
        return reportError(std::move(error));
      packedPath = packed.temporary();
    } else if (source->tensors && options.pack) {
      if (llvm::Error error = pack(weights, packed, packedPath))
        return reportError(std::move(error));
    }
    if (options.check) {
      std::string result = trace.timed("check", [&] {
        return checkExecutable(executable.temporary(), packedPath, checked);
      });
      if (result.empty())
        return kExitUser;
      options = checked;
      module = std::move(planned);
      if (int code = makeObject(checkedIndex, weights.fingerprint, result,
                                objects[checkedIndex]))
        return code;
      if (llvm::Error error = link(objects, *kernels, executable))
        return reportError(std::move(error));
    }
    if (llvm::Error error = place(executable, packed, packedPath))
      return reportError(std::move(error));
    return 0;
  }

  /// Lowers the module, of target number `index`. `object` stays empty where
  /// the text is the output.
  int makeObject(size_t index, const Fingerprint &fingerprint,
                 const std::string &check, std::string &object) {
    trace.timed("lower-to-llvm", [&] {
      lowerToLLVM(*module, planFacts(index, check), fingerprint);
      return 0;
    });
    if (failed(mlir::verify(*module)))
      return reportBroken("lower-to-llvm", *imported, options.pipeline.str());
    if (options.pipeline.stop == Stop::Llvm)
      return writeIR();

    llvm::LLVMContext llvmContext;
    auto made =
        trace.timed("code-generation", [&]() -> llvm::Expected<std::string> {
          auto code = translateToLLVMIR(*module, llvmContext, hostTriple());
          if (!code)
            return code.takeError();
          return emitObject(**code);
        });
    if (!made) {
      reportError(llvm::toString(made.takeError()));
      return reportBroken("code-generation", *imported, options.pipeline.str());
    }
    object = std::move(*made);
    if (options.pipeline.stop == Stop::Object)
      if (llvm::Error error = writeOutput(options.output, object))
        return reportError(std::move(error));
    return 0;
  }

  llvm::Error link(const std::vector<std::string> &steps,
                   const std::vector<std::string> &kernels,
                   const OutputFile &executable) {
    std::vector<std::unique_ptr<OutputFile>> files; // temporaries
    std::vector<std::string> objects;
    for (const auto &[i, bytes] : llvm::enumerate(steps)) {
      files.push_back(std::make_unique<OutputFile>(options.output + "." +
                                                   options.targets[i] + ".o"));
      if (llvm::Error error = files.back()->write(bytes))
        return error;
      objects.push_back(files.back()->temporary());
    }
    objects.insert(objects.end(), kernels.begin(), kernels.end());
    LinkOptions link{options.linker, {QWENC_UTF8PROC}, true};
    for (const char *archive : {"cli", "core", "tokenizer"})
      link.archives.push_back(
          siblingOf(std::string("../lib/libqwen_runtime_") + archive + ".a"));
    return trace.timed("link", [&] {
      return linkExecutable(objects, executable.temporary(), link);
    });
  }

  /// `path` is then where the weights are: in their place or not yet.
  llvm::Error pack(WeightsFile &weights, OutputFile &packed,
                   std::string &path) {
    weights.generation = generationText(*source);
    for (const auto &[name, tensor] : *source->tensors)
      weights.sources[name] = {tensor.path, tensor.offsetBytes,
                               tensor.sizeBytes, tensor.storedType};
    if (options.requantised)
      for (const auto &[name, tensor] : options.requantised->tensors)
        weights.sources[name] = {tensor.path, tensor.offsetBytes,
                                 tensor.sizeBytes, tensor.storedType};
    llvm::Expected<bool> written = trace.timed("pack", [&] {
      return writeWeightsFile(weights, packed,
                              {siblingOf("qwenc-kernel"), options.jobs});
    });
    if (!written)
      return written.takeError();
    path = *written ? packed.temporary() : packed.path();
    return llvm::Error::success();
  }

  llvm::Error place(OutputFile &executable, OutputFile &packed,
                    const std::string &packedPath) {
    if (options.embedWeights) {
      if (llvm::Error error = embedWeights(executable.temporary(), packedPath))
        return error;
    } else if (packedPath == packed.temporary()) {
      if (llvm::Error error = packed.commit())
        return error;
    }
    return executable.commit();
  }
};

} // namespace

int compileModel(const CompileOptions &options) {
  return Compilation(options).run();
}

int scheduledKernels(const CompileOptions &options, ScheduledKernels &result) {
  return Compilation(options).collect(result);
}

std::function<int()> addCompileCommand(CLI::App &app) {
  auto options = std::make_shared<CompileOptions>();
  CLI::App *command =
      app.add_subcommand("compile", "compile a model into an executable");
  declare(*options, *command);
  return [options] { return compileModel(*options); };
}

} // namespace qwen
