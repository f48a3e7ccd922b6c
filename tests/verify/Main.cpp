// Main.cpp - `qwenc verify` of a compiler with a defect:
// qwenc-mutant MUTATION[@PASS] MODEL [--reference R] [--format F] ...; without
// arguments it lists the mutations.
#include "tests/verify/Mutations.h"
#include "tools/qwenc/verify/Verify.h"

#include <iostream>
#include <memory>

int main(int argc, char **argv) {
  using namespace qwen;
  if (argc < 2) {
    for (const verify::Mutation &mutation : verify::mutations())
      std::cout << mutation.name << " " << mutation.pass << "\n";
    return 0;
  }
  auto [name, at] = llvm::StringRef(argv[1]).split('@');
  const verify::Mutation *mutation = verify::findMutation(name);
  if (!mutation && name != "none") {
    std::cerr << "qwenc-mutant: error: no mutation `" << argv[1] << "`\n";
    return 2;
  }
  std::string pass = !mutation    ? ""
                     : at.empty() ? std::string(mutation->pass)
                                  : at.str();
  VerifyOptions options;
  CLI::App app{"verify by a compiler with a defect"};
  app.add_option("subject", options.subject)->required();
  app.add_option("--reference", options.reference);
  app.add_option("--ids", options.idsPath);
  app.add_option("--report", options.report);
  app.add_flag("--bisect", options.bisect);
  declareBuild(options.build, app);
  auto planted = std::make_shared<int64_t>(0);
  options.build.pipeline.afterPass = [=](llvm::StringRef now,
                                         mlir::ModuleOp module) {
    if (now == pass)
      *planted += mutation->plant(module);
  };
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::ParseError &error) {
    return app.exit(error);
  }
  int code = verifyModel(options);
  if (mutation && *planted == 0) {
    std::cerr << "qwenc-mutant: error: nothing to plant `" << argv[1]
              << "` in\n";
    return 2;
  }
  return code;
}
