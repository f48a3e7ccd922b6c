// emulate_avxvnni.cpp - a library to preload: the VEX forms of vpdpbusd and
// vpdpwssd, which a CPU without AVX-VNNI refuses, are computed where they
// stand.
//
// Source  Intel SDM volume 2: VEX prefix (2.3), ModR/M and SIB (2.1), VPDPBUSD,
// VPDPWSSD; volume 1, 13.4: XSAVE area. qemu-user has no AVX-VNNI.
#include <cpuid.h>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ucontext.h>
#include <unistd.h>

namespace {

struct Vector {
  uint8_t bytes[32];
};

// The upper halves of ymm0 to ymm15 in the area of a signal frame, which is
// never compacted.
uint32_t upperHalves() {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  __get_cpuid_count(0xd, 2, &eax, &ebx, &ecx, &edx);
  return ebx;
}
uint32_t upperOffset = 0;

struct Registers {
  ucontext_t *context;

  uint8_t *area() const {
    return reinterpret_cast<uint8_t *>(context->uc_mcontext.fpregs);
  }
  uint8_t *lower(int index) const { return area() + 160 + 16 * index; }
  uint8_t *upper(int index) const { return area() + upperOffset + 16 * index; }

  Vector read(int index) const {
    Vector vector;
    std::memcpy(vector.bytes, lower(index), 16);
    std::memcpy(vector.bytes + 16, upper(index), 16);
    return vector;
  }
  void write(int index, const Vector &vector) const {
    std::memcpy(lower(index), vector.bytes, 16);
    std::memcpy(upper(index), vector.bytes + 16, 16);
    uint64_t present;
    std::memcpy(&present, area() + 512, 8);
    present |= 6; // both are to be loaded again
    std::memcpy(area() + 512, &present, 8);
  }
  uint64_t general(int index) const {
    static constexpr int kOrder[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return uint64_t(context->uc_mcontext.gregs[kOrder[index]]);
  }
};

template <class T> T at(const uint8_t *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

/// Runs the instruction at `code`; its length, or 0 when it is another one.
int step(const uint8_t *code, const Registers &registers) {
  if (code[0] != 0xc4)
    return 0;
  const bool known = (code[1] & 0x1f) == 2 && (code[2] & 0x83) == 0x01 &&
                     (code[3] == 0x50 || code[3] == 0x52);
  if (!known)
    return 0;
  const int extendR = code[1] & 0x80 ? 0 : 8, extendX = code[1] & 0x40 ? 0 : 8,
            extendB = code[1] & 0x20 ? 0 : 8;
  const int second = ~(code[2] >> 3) & 15;
  const int size = code[2] & 4 ? 32 : 16;
  const int mode = code[4] >> 6, destination = (code[4] >> 3 & 7) | extendR;
  int length = 5;
  Vector third{};
  if (mode == 3) {
    third = registers.read((code[4] & 7) | extendB);
  } else {
    uint64_t address = 0;
    bool toNext = false;
    if ((code[4] & 7) == 4) {
      const uint8_t sib = code[length++];
      const int base = (sib & 7), index = (sib >> 3 & 7) | extendX;
      if (index != 4)
        address += registers.general(index) << (sib >> 6);
      if (base == 5 && mode == 0) {
        address += uint64_t(int64_t(at<int32_t>(code + length)));
        length += 4;
      } else {
        address += registers.general(base | extendB);
      }
    } else if ((code[4] & 7) == 5 && mode == 0) {
      address = uint64_t(int64_t(at<int32_t>(code + length)));
      length += 4;
      toNext = true;
    } else {
      address = registers.general((code[4] & 7) | extendB);
    }
    if (mode == 1)
      address += uint64_t(int64_t(int8_t(code[length++])));
    if (mode == 2) {
      address += uint64_t(int64_t(at<int32_t>(code + length)));
      length += 4;
    }
    if (toNext)
      address += uint64_t(code + length);
    std::memcpy(third.bytes, reinterpret_cast<const void *>(address),
                size_t(size));
  }
  const Vector factors = registers.read(second);
  Vector sums = registers.read(destination);
  for (int lane = 0; lane < size; lane += 4) {
    uint32_t sum = at<uint32_t>(sums.bytes + lane);
    if (code[3] == 0x50)
      for (int i = lane; i < lane + 4; ++i)
        sum += uint32_t(int32_t(factors.bytes[i]) * int8_t(third.bytes[i]));
    else
      for (int i = lane; i < lane + 4; i += 2)
        sum += uint32_t(int32_t(at<int16_t>(factors.bytes + i)) *
                        at<int16_t>(third.bytes + i));
    std::memcpy(sums.bytes + lane, &sum, 4);
  }
  if (size == 16)
    std::memset(sums.bytes + 16, 0, 16);
  registers.write(destination, sums);
  return length;
}

void onIllegal(int signal, siginfo_t *, void *data) {
  auto *context = static_cast<ucontext_t *>(data);
  greg_t &next = context->uc_mcontext.gregs[REG_RIP];
  const int length =
      step(reinterpret_cast<const uint8_t *>(next), Registers{context});
  if (length == 0) {
    std::signal(signal, SIG_DFL); // it ends the process when it comes again
    return;
  }
  next += length;
}

__attribute__((constructor)) void install() {
  upperOffset = upperHalves();
  struct sigaction action = {};
  action.sa_sigaction = onIllegal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGILL, &action, nullptr);
}

} // namespace

// A thread that blocks all signals, as a team's do, would be ended by the
// first.
extern "C" int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
  sigset_t others;
  if (set && how != SIG_UNBLOCK) {
    others = *set;
    sigdelset(&others, SIGILL);
    set = &others;
  }
  return sigprocmask(how, set, before); // of this thread, as Linux has it
}
