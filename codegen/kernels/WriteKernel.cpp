// WriteKernel.cpp - the files of a kernel: by Halide, or where a target names
// its own CPU, machine code by qwenc-native from Halide's bitcode.
#include "codegen/kernels/Kernel.h"

#include <cstdlib>
#include <filesystem>

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

namespace qwen::codegen {

using Halide::OutputFileType;

namespace {

/// Runs the program beside this one; it tells by itself what is wrong.
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
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  if (posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(),
                  environ) != 0)
    throw KernelError{"cannot run `" + words[0] + "`"};
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status))
    throw KernelError{"`" + words[0] + "` ended by signal " +
                      std::to_string(WTERMSIG(status))};
  if (WEXITSTATUS(status) != 0)
    throw KernelError{"`" + words[0] + "` failed"};
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
