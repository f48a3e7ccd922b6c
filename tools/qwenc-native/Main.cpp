// Main.cpp - qwenc-native: machine code, by LLVM, of what Halide made of a
// kernel, for CPUs whose instructions no Halide target names together. A
// program of its own, for no other that links Halide links LLVM.
#include <CLI/CLI.hpp>

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/IntrinsicsX86.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/AlwaysInliner.h"

#include <iostream>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <csignal>
#include <sys/prctl.h>

namespace {

/// A CPU as LLVM names it: no instruction beyond these features is emitted.
struct Cpu {
  std::vector<std::string> features; // "avx2", "avxvnni"
  std::string tune;                  // whose costs count: "alderlake"
};

struct Halves {
  llvm::Intrinsic::ID whole, half;
};

// What kernels call by name where Halide has AVX-512.
constexpr Halves kHalves[] = {
    {llvm::Intrinsic::x86_avx512_vpdpbusd_512,
     llvm::Intrinsic::x86_avx512_vpdpbusd_256},
    {llvm::Intrinsic::x86_avx512_vpdpwssd_512,
     llvm::Intrinsic::x86_avx512_vpdpwssd_256},
    {llvm::Intrinsic::x86_avx512_pmaddw_d_512,
     llvm::Intrinsic::x86_avx2_pmadd_wd},
};

struct Function {
  const char *name;
  llvm::Intrinsic::ID instruction;
};

// Halide calls libm, of which these are single instructions.
constexpr Function kFunctions[] = {
    {"ceilf", llvm::Intrinsic::ceil},
    {"floorf", llvm::Intrinsic::floor},
    {"truncf", llvm::Intrinsic::trunc},
    {"nearbyintf", llvm::Intrinsic::nearbyint},
    {"sqrtf", llvm::Intrinsic::sqrt},
    {"fabsf", llvm::Intrinsic::fabs},
};

std::vector<int> lanes(int first, int count) {
  std::vector<int> list(count);
  std::iota(list.begin(), list.end(), first);
  return list;
}

/// `call` as two calls of `half` on the halves of its operands.
llvm::Value *inHalves(llvm::CallInst &call, llvm::Intrinsic::ID half) {
  llvm::IRBuilder<> builder(&call);
  llvm::Function *callee =
      llvm::Intrinsic::getOrInsertDeclaration(call.getModule(), half);
  llvm::Value *parts[2];
  for (int part = 0; part < 2; ++part) {
    std::vector<llvm::Value *> operands;
    for (llvm::Value *operand : call.args()) {
      const int count =
          int(llvm::cast<llvm::FixedVectorType>(operand->getType())
                  ->getNumElements()) /
          2;
      llvm::Value *slice =
          builder.CreateShuffleVector(operand, lanes(part * count, count));
      operands.push_back(builder.CreateBitCast(
          slice, callee->getFunctionType()->getParamType(operands.size())));
    }
    parts[part] = builder.CreateCall(callee, operands);
  }
  const int count = int(
      llvm::cast<llvm::FixedVectorType>(parts[0]->getType())->getNumElements());
  return builder.CreateShuffleVector(parts[0], parts[1], lanes(0, 2 * count));
}

/// Names an instruction of 512 bits that has no halves, if there is one.
std::optional<std::string> split(llvm::Module &module) {
  std::vector<llvm::CallInst *> calls;
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function))
      if (auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction))
        calls.push_back(call);
  for (llvm::CallInst *call : calls) {
    const llvm::Intrinsic::ID id = call->getIntrinsicID();
    const Halves *known =
        std::find_if(std::begin(kHalves), std::end(kHalves),
                     [&](const Halves &halves) { return halves.whole == id; });
    if (known != std::end(kHalves)) {
      call->replaceAllUsesWith(inHalves(*call, known->half));
      call->eraseFromParent();
      continue;
    }
    const llvm::StringRef name = call->getCalledFunction()->getName();
    if (name.starts_with("llvm.x86.avx512") && name.ends_with(".512"))
      return "no halves of `" + name.str() + "`";
  }
  return std::nullopt;
}

void useInstructions(llvm::Module &module) {
  for (const auto &[name, instruction] : kFunctions)
    if (llvm::Function *function = module.getFunction(name))
      function->replaceAllUsesWith(llvm::Intrinsic::getOrInsertDeclaration(
          &module, instruction, {function->getReturnType()}));
}

std::string listed(const Cpu &cpu) {
  std::string list;
  for (const std::string &feature : cpu.features)
    list += (list.empty() ? "+" : ",+") + feature;
  return list;
}

/// Writes the kernel in the bitcode file as an object, or as assembly. Vectors
/// may be wider than the CPU's: LLVM splits plain operations, and instructions
/// of 512 bits called by name become two of 256. What went wrong, else nothing.
std::optional<std::string> emit(const std::string &bitcode, const Cpu &cpu,
                                const std::string &output, bool assembly) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  auto bytes = llvm::MemoryBuffer::getFile(bitcode);
  if (!bytes)
    return "cannot read `" + bitcode + "`: " + bytes.getError().message();
  llvm::LLVMContext context;
  auto module = llvm::parseBitcodeFile(**bytes, context);
  if (!module)
    return llvm::toString(module.takeError());

  const std::string features = listed(cpu);
  for (llvm::Function &function : **module) {
    function.addFnAttr("target-cpu", "x86-64");
    function.addFnAttr("target-features", features);
    function.addFnAttr("tune-cpu", cpu.tune);
  }
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget((*module)->getTargetTriple(), message);
  if (!target)
    return message;
  // As Halide has it where every operation is strict.
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  options.FunctionSections = true;
  const std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(
          (*module)->getTargetTriple(), "x86-64", features, options,
          llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  std::error_code error;
  llvm::raw_fd_ostream stream(output, error);
  if (error)
    return "cannot write `" + output + "`: " + error.message();

  // Halide's instructions are functions that call the intrinsics.
  llvm::legacy::PassManager inlining;
  inlining.add(llvm::createAlwaysInlinerLegacyPass());
  inlining.run(**module);
  useInstructions(**module);
  const bool wide = std::any_of(
      cpu.features.begin(), cpu.features.end(),
      [](const std::string &name) { return name.starts_with("avx512"); });
  const std::optional<std::string> problem =
      wide ? std::nullopt : split(**module);
  if (problem)
    return problem;
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr,
                                   assembly
                                       ? llvm::CodeGenFileType::AssemblyFile
                                       : llvm::CodeGenFileType::ObjectFile))
    return "LLVM writes no such file";
  passes.run(**module);
  stream.flush();
  if (!stream.has_error())
    return std::nullopt;
  error = stream.error();
  stream.clear_error(); // else its destructor ends the process
  return "cannot write `" + output + "`: " + error.message();
}

} // namespace

int main(int argc, char **argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL); // the caller's time may be limited
  CLI::App app{"qwenc-native - machine code of a kernel's bitcode for exactly "
               "the features named"};
  std::string bitcode, output;
  Cpu cpu;
  bool assembly = false;
  app.add_option("bitcode", bitcode, "what Halide made of the kernel")
      ->required();
  app.add_option("-o,--output", output, "file to write")->required();
  app.add_option("--features", cpu.features, "LLVM's names: avx2,avxvnni")
      ->delimiter(',')
      ->required();
  app.add_option("--tune", cpu.tune, "the CPU whose costs count")->required();
  app.add_flag("--assembly", assembly, "assembly, not an object");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  if (auto problem = emit(bitcode, cpu, output, assembly)) {
    std::cerr << "qwenc-native: error: " << bitcode << ": " << *problem << "\n";
    return 1;
  }
  return 0;
}
