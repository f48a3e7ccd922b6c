// Cancellation.cpp - a flag that a signal handler may set.
#include "runtime/core/Cancellation.h"

#include <csignal>

namespace qwen {
namespace {

volatile sig_atomic_t requested = 0;

void onSignal(int signal) {
  if (requested) {
    // Asked twice: the process ends when the handler returns and the signal is
    // delivered again.
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  requested = 1;
}

} // namespace

void installCancellation() {
  struct sigaction action = {};
  action.sa_handler = onSignal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0; // no SA_RESTART: a read that waits must return
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool cancellationRequested() { return requested != 0; }
void requestCancellation() { requested = 1; }
void clearCancellation() { requested = 0; }

} // namespace qwen
