// WriteKernel.cpp - the files of a kernel: by Halide, or where a target names
// its own CPU, machine code by qwenc-native from Halide's bitcode.
#include "codegen/kernels/Kernel.h"
#include "codegen/kernels/RunProgram.h"

#include <filesystem>

namespace qwen::codegen {

using Halide::OutputFileType;

namespace {

/// By the program beside this one. Bitcode that it fails on is left, so that it
/// can be run again.
void runNative(const CpuTarget &target, const std::string &bitcode,
               const std::string &output, bool assembly) {
  std::string features;
  for (const std::string &feature : target.data.features)
    features += (features.empty() ? "" : ",") + feature;
  std::vector<std::string> words = {
      std::filesystem::read_symlink("/proc/self/exe")
          .replace_filename("qwenc-native")
          .string(),
      bitcode,
      "--features",
      features,
      "--tune",
      target.tune,
      "-o",
      output};
  if (assembly)
    words.push_back("--assembly");
  if (const std::optional<std::string> problem = runProgram(words))
    throw KernelError{*problem + " on `" + bitcode + "`"};
}

} // namespace

void writeKernel(const KernelSymbol &symbol,
                 const std::map<OutputFileType, std::string> &files) {
  const Halide::Module module = buildModule(symbol);
  const CpuTarget &target = *findTarget(symbol.target);
  const bool native = !target.tune.empty();
  std::map<OutputFileType, std::string> byHalide;
  std::vector<std::pair<std::string, bool>> byUs;
  for (const auto &[type, path] : files)
    if (native &&
        (type == OutputFileType::object || type == OutputFileType::assembly))
      byUs.emplace_back(path, type == OutputFileType::assembly);
    else
      byHalide[type] = path;
  if (!byHalide.empty())
    module.compile(byHalide);
  if (byUs.empty())
    return;

  const std::string bitcode = byUs.front().first + ".bc";
  module.compile({{OutputFileType::bitcode, bitcode}});
  for (const auto &[path, assembly] : byUs)
    runNative(target, bitcode, path, assembly);
  std::filesystem::remove(bitcode);
}

} // namespace qwen::codegen
