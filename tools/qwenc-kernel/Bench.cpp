#include "tools/qwenc-kernel/Subcommands.h"
namespace qwen { void addBench(CLI::App &, int &) {} }
