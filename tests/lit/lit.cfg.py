"""Lit suite: IR rules, passes, the frontend and the emitter, by FileCheck.

Run: $(llvm-config-22 --bindir)/lit -v tests/lit [--param bin_dir=build/bin]
"""

import os
import shutil
import sys
import tempfile

import lit.formats

config.name = "qwenc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".ll", ".mlir", ".test"]
config.excludes = ["Inputs"]

repository = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
config.test_source_root = os.path.dirname(os.path.abspath(__file__))
config.test_exec_root = lit_config.params.get("exec_root", os.path.join(tempfile.gettempdir(), "qwenc-lit"))

programs = os.path.abspath(lit_config.params.get("bin_dir", os.path.join(repository, "build", "bin")))
llvm_programs = lit_config.params.get("llvm_bin_dir", "/usr/lib/llvm-22/bin")
config.environment["PATH"] = os.pathsep.join([programs, llvm_programs, config.environment.get("PATH", "")])
config.environment["FILECHECK_OPTS"] = "-enable-var-scope -dump-input=fail"

config.substitutions.append(("%python", sys.executable))
config.substitutions.append(("%configs", os.path.join(repository, "configs")))

# A program of another build configuration that is absent makes its tests unsupported, never green by accident: qwenc-opt
# itself must be there.
if not shutil.which("qwenc-opt", path=config.environment["PATH"]):
    lit_config.fatal(f"qwenc-opt is not in {programs}; give --param bin_dir=")
for program in ("qwenc", "qwenc-kernel"):
    if shutil.which(program, path=config.environment["PATH"]):
        config.available_features.add(program)
