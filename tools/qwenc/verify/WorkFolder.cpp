// WorkFolder.cpp - folders that live are listed for a signal handler, which may
// call little more than the kernel.
#include "tools/qwenc/verify/WorkFolder.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace qwen::verify {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
// More than one command has at a time; others stay when it is interrupted.
constexpr size_t kMostFolders = 8;
std::atomic<const char *> folders[kMostFolders];
struct sigaction before[std::size(kSignals)]; // what a signal did
std::atomic<bool> handled = false;

/// What getdents64 writes, before the name. Source: getdents(2).
struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t bytes;
  uint8_t type;
};
constexpr size_t kNameOffset = 19;

/// Async-signal-safe.
void removeFiles(const char *folder) {
  const int directory = ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0)
    return;
  char entries[4096];
  for (long bytes; (bytes = ::syscall(SYS_getdents64, directory, entries,
                                      sizeof(entries))) > 0;)
    for (long at = 0; at < bytes;) {
      DirectoryEntry entry;
      std::memcpy(&entry, entries + at, kNameOffset);
      ::unlinkat(directory, entries + at + kNameOffset, 0);
      at += entry.bytes;
    }
  ::close(directory);
  ::rmdir(folder);
}

void onSignal(int signal) {
  for (std::atomic<const char *> &folder : folders)
    if (const char *path = folder.exchange(nullptr))
      removeFiles(path);
  for (size_t i = 0; i < std::size(kSignals); ++i)
    if (kSignals[i] == signal)
      ::sigaction(signal, &before[i], nullptr);
  ::raise(signal); // it comes when this returns
}

void handleSignals() {
  if (handled.exchange(true))
    return;
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], nullptr, &before[i]);
    if (before[i].sa_handler == SIG_IGN)
      continue;
    struct sigaction action = {};
    action.sa_handler = onSignal;
    ::sigaction(kSignals[i], &action, nullptr);
  }
}

} // namespace

WorkFolder::WorkFolder() {
  llvm::SmallString<128> made;
  if (llvm::sys::fs::createUniqueDirectory("qwenc-verify", made))
    return;
  path = made.str().str();
  handleSignals();
  for (std::atomic<const char *> &folder : folders) {
    const char *none = nullptr;
    if (folder.compare_exchange_strong(none, path.c_str()))
      break;
  }
}

WorkFolder::~WorkFolder() {
  if (!ok())
    return;
  for (std::atomic<const char *> &folder : folders) {
    const char *own = path.c_str();
    folder.compare_exchange_strong(own, nullptr);
  }
  // What cannot be removed stays in the system's temporary folder.
  std::error_code const ignored = llvm::sys::fs::remove_directories(path);
  static_cast<void>(ignored);
}

} // namespace qwen::verify
