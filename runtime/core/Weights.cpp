// Weights.cpp - opening, checking and mapping a weights file.
#include "runtime/core/Weights.h"
#include "runtime/core/Pages.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qwen {
namespace {

constexpr char kTrailerMagic[] = "QWENEMB1";
constexpr const char *kSectionNames[QWEN_SECTION_COUNT] = {
    "tensor", "tokenizer", "generation"};

using ull = unsigned long long;

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0)
      close(fd);
  }
};

// False if the file has no `bytes` bytes at `offset`.
bool readAt(int fd, void *out, size_t bytes, int64_t offset) {
  auto *to = static_cast<uint8_t *>(out);
  while (bytes > 0) {
    ssize_t got = pread(fd, to, bytes, offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    to += got;
    offset += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

// The part of a file that holds weights.
struct Extent {
  int64_t offset, bytes;
};

Status checkHeader(const qwen_weights_header &header, const Extent &extent,
                   const qwen_plan &plan) {
  if (memcmp(header.magic, QWEN_WEIGHTS_MAGIC, sizeof(header.magic)) != 0)
    return Status::invalid(
        "not a weights file: it does not start with `" QWEN_WEIGHTS_MAGIC "`");
  if (header.abi_version != QWEN_ABI_VERSION)
    return Status::invalid(
        "the weights have ABI version %u; this executable reads %u",
        header.abi_version, QWEN_ABI_VERSION);
  if (header.section_count != QWEN_SECTION_COUNT)
    return Status::invalid(
        "the weights have %u sections; this executable reads %d",
        header.section_count, int{QWEN_SECTION_COUNT});
  if (memcmp(header.fingerprint, plan.fingerprint,
             sizeof(header.fingerprint)) != 0)
    return Status::invalid("the weights are of another model or build: "
                           "fingerprint %s; this executable needs %s",
                           fingerprintText(header.fingerprint).c_str(),
                           fingerprintText(plan.fingerprint).c_str());
  if (header.file_bytes != static_cast<uint64_t>(extent.bytes))
    return Status::invalid(
        "the weights have %lld bytes; their header says %llu",
        static_cast<long long>(extent.bytes),
        static_cast<ull>(header.file_bytes));
  for (int kind = 0; kind < QWEN_SECTION_COUNT; ++kind) {
    const qwen_section &section = header.sections[kind];
    if (section.bytes == 0)
      continue;
    if (section.offset % kPageBytes != 0)
      return Status::invalid(
          "the %s section starts at byte %llu, which is not a multiple of %lld",
          kSectionNames[kind], static_cast<ull>(section.offset),
          static_cast<long long>(kPageBytes));
    if (section.offset < sizeof(qwen_weights_header) ||
        section.offset > header.file_bytes ||
        section.bytes > header.file_bytes - section.offset)
      return Status::invalid("the %s section (%llu bytes at byte %llu) is not "
                             "inside the weights (%llu bytes)",
                             kSectionNames[kind],
                             static_cast<ull>(section.bytes),
                             static_cast<ull>(section.offset),
                             static_cast<ull>(header.file_bytes));
  }
  uint64_t tensorBytes = header.sections[QWEN_SECTION_TENSORS].bytes;
  if (tensorBytes != static_cast<uint64_t>(plan.weights_bytes))
    return Status::invalid(
        "the tensor section has %llu bytes; this executable needs %lld",
        static_cast<ull>(tensorBytes),
        static_cast<long long>(plan.weights_bytes));
  return {};
}

// The whole file, or the part that its trailer names.
Result<Extent> findExtent(int fd, int64_t fileBytes, bool embeddedOnly) {
  qwen_embedded_trailer trailer;
  int64_t trailerAt = fileBytes - static_cast<int64_t>(sizeof(trailer));
  bool embedded =
      trailerAt >= 0 && readAt(fd, &trailer, sizeof(trailer), trailerAt) &&
      memcmp(trailer.magic, kTrailerMagic, sizeof(trailer.magic)) == 0;
  if (!embedded) {
    if (embeddedOnly)
      return Status::unsupported("no embedded weights");
    return Extent{0, fileBytes};
  }
  if (trailer.offset % kPageBytes != 0 ||
      trailer.offset > static_cast<uint64_t>(trailerAt) ||
      trailer.bytes > static_cast<uint64_t>(trailerAt) - trailer.offset)
    return Status::invalid("the embedded weights (%llu bytes at byte %llu) are "
                           "not inside the file (%lld bytes)",
                           static_cast<ull>(trailer.bytes),
                           static_cast<ull>(trailer.offset),
                           static_cast<long long>(fileBytes));
  return Extent{static_cast<int64_t>(trailer.offset),
                static_cast<int64_t>(trailer.bytes)};
}

} // namespace

std::string fingerprintText(const uint8_t fingerprint[16]) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int i = 0; i < 16; ++i) {
    text += kDigits[fingerprint[i] >> 4];
    text += kDigits[fingerprint[i] & 15];
  }
  return text;
}

Result<std::string> executablePath() {
  std::string path(4096, '\0');
  ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length < 0)
    return Status::system(
        errno, "cannot find the path of this executable (/proc/self/exe)");
  path.resize(static_cast<size_t>(length));
  return path;
}

Weights::Weights(Weights &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)), path_(std::move(other.path_)) {}

Weights &Weights::operator=(Weights &&other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(path_, other.path_);
  return *this;
}

Weights::~Weights() {
  if (data_)
    munmap(const_cast<uint8_t *>(data_), static_cast<size_t>(bytes_));
}

Result<Weights> Weights::openFile(const qwen_plan &plan,
                                  const std::string &path, bool embeddedOnly) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0)
    return Status::system(errno, "cannot open the weights").at(path);
  struct stat info;
  if (fstat(file.fd, &info) != 0)
    return Status::system(errno, "cannot read the weights").at(path);
  if (!S_ISREG(info.st_mode))
    return Status::invalid("the weights are not a regular file").at(path);
  Result<Extent> extent = findExtent(file.fd, info.st_size, embeddedOnly);
  if (!extent.ok())
    return extent.status().at(path);
  qwen_weights_header header;
  if (extent->bytes < static_cast<int64_t>(sizeof(header)) ||
      !readAt(file.fd, &header, sizeof(header), extent->offset))
    return Status::invalid(
               "the weights have %lld bytes; their header alone has %zu",
               static_cast<long long>(extent->bytes), sizeof(header))
        .at(path);
  if (Status status = checkHeader(header, *extent, plan); !status.ok())
    return status.at(path);
  void *data = mmap(nullptr, static_cast<size_t>(extent->bytes), PROT_READ,
                    MAP_SHARED, file.fd, extent->offset);
  if (data == MAP_FAILED)
    return Status::system(errno, "cannot map the weights").at(path);
  // Hints, so their failure changes nothing: huge pages for what is read from
  // the disk, and a cold file is read early.
  madvise(data, static_cast<size_t>(extent->bytes), MADV_HUGEPAGE);
  madvise(data, static_cast<size_t>(extent->bytes), MADV_WILLNEED);
  Weights weights;
  weights.data_ = static_cast<const uint8_t *>(data);
  weights.bytes_ = extent->bytes;
  weights.path_ = path;
  return weights;
}

Result<Weights> Weights::open(const qwen_plan &plan, const std::string &path) {
  if (!path.empty())
    return openFile(plan, path, /*embeddedOnly=*/false);
  Result<std::string> executable = executablePath();
  if (!executable.ok())
    return executable.status();
  Result<Weights> embedded = openFile(plan, *executable, /*embeddedOnly=*/true);
  if (embedded.ok() || embedded.status().code() != Code::kUnsupported)
    return embedded;
  std::string beside = *executable + ".weights";
  if (access(beside.c_str(), F_OK) != 0)
    return Status::invalid("no weights file beside the executable; give one "
                           "with --weights PATH")
        .at(beside);
  return openFile(plan, beside, /*embeddedOnly=*/false);
}

std::span<const uint8_t> Weights::section(int kind) const {
  const qwen_section &section =
      reinterpret_cast<const qwen_weights_header *>(data_)->sections[kind];
  if (section.bytes == 0)
    return {};
  return {data_ + section.offset, static_cast<size_t>(section.bytes)};
}

std::string_view Weights::generation() const {
  std::span<const uint8_t> text = section(QWEN_SECTION_GENERATION);
  return {reinterpret_cast<const char *>(text.data()), text.size()};
}

} // namespace qwen
