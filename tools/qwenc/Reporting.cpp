// Reporting.cpp - printing to standard error.
#include "tools/qwenc/Reporting.h"

#include "codegen/emit/OutputFile.h"
#include "tools/qwenc/Command.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

namespace qwen {
namespace {

/// The first file position in a location; null when there is none.
mlir::FileLineColLoc filePlace(mlir::Location location) {
  mlir::FileLineColLoc place;
  location->walk([&](mlir::Location part) {
    place = llvm::dyn_cast<mlir::FileLineColLoc>(part);
    return place ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
  });
  return place;
}

} // namespace

void reportError(const std::string &text) {
  llvm::errs() << "qwenc: error: " << text << "\n";
}

int reportError(llvm::Error error) {
  if (const std::string text = llvm::toString(std::move(error)); !text.empty())
    reportError(text);
  return kExitUser;
}

mlir::LogicalResult reportDiagnostic(mlir::Diagnostic &diagnostic) {
  const char *kind = diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error
                         ? "error"
                         : "note";
  if (mlir::FileLineColLoc place = filePlace(diagnostic.getLocation())) {
    llvm::errs() << place.getFilename().getValue() << ":";
    if (place.getLine() > 0) // 0: the file as a whole
      llvm::errs() << place.getLine() << ":" << place.getColumn() << ":";
    llvm::errs() << " ";
  } else {
    llvm::errs() << "qwenc: ";
  }
  llvm::errs() << kind << ": " << diagnostic.str() << "\n";
  return mlir::success();
}

int reportBroken(const std::string &stage, mlir::ModuleOp input,
                 const std::string &options) {
  constexpr const char *kFile = "qwenc-reproducer.mlir";
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "// qwenc broke in `" << stage << "`; options: " << options << "\n";
  if (input)
    input.print(stream, mlir::OpPrintingFlags().enableDebugInfo(true));
  reportError("internal error in `" + stage + "`; please report it with " +
              kFile);
  if (llvm::Error error = writeOutput(kFile, text))
    llvm::consumeError(std::move(error));
  return kExitBroken;
}

void printTimings(const Timings &timings) {
  Timings sorted = timings;
  llvm::sort(sorted,
             [](const auto &a, const auto &b) { return a.second > b.second; });
  double total = 0;
  for (const auto &[name, seconds] : sorted)
    total += seconds;
  for (const auto &[name, seconds] : sorted)
    llvm::errs() << llvm::format("%10.1f ms %5.1f%%  ", seconds * 1e3,
                                 100 * seconds / total)
                 << name << "\n";
  llvm::errs() << llvm::format("%10.1f ms         ", total * 1e3) << "total\n";
}

} // namespace qwen
