// PackRequest.cpp - reads a pack request and checks every size before anything
// is written.
#include "tools/qwenc-kernel/PackRequest.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace qwen {

using codegen::Format;
using codegen::Plane;
using codegen::StoredType;
using nlohmann::json;

OpenFile::OpenFile(std::string path, int flags) : path(std::move(path)) {
  descriptor = ::open(this->path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0)
    throw PackError{this->path +
                    ": error: cannot open: " + std::strerror(errno)};
}

OpenFile::~OpenFile() { ::close(descriptor); }

void OpenFile::read(uint8_t *bytes, int64_t count, int64_t offset) const {
  while (count > 0) {
    const ssize_t done = ::pread(descriptor, bytes, size_t(count), offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      throw PackError{path + ": error: cannot read at byte " +
                      std::to_string(offset) + ": " + std::strerror(errno)};
    if (done == 0)
      throw PackError{path + ": error: the file ends at byte " +
                      std::to_string(offset) + ", " + std::to_string(count) +
                      " bytes too early"};
    bytes += done, offset += done, count -= done;
  }
}

void OpenFile::write(const uint8_t *bytes, int64_t count,
                     int64_t offset) const {
  while (count > 0) {
    const ssize_t done = ::pwrite(descriptor, bytes, size_t(count), offset);
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      throw PackError{path + ": error: cannot write at byte " +
                      std::to_string(offset) + ": " +
                      std::strerror(done < 0 ? errno : ENOSPC)};
    bytes += done, offset += done, count -= done;
  }
}

int64_t OpenFile::sizeBytes() const {
  struct stat status;
  if (::fstat(descriptor, &status) != 0)
    throw PackError{path +
                    ": error: cannot read its size: " + std::strerror(errno)};
  return status.st_size;
}

namespace {

std::string joined(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

/// Names of the formats that take a stored type and an inner size.
std::string formatsFor(const StoredType &stored, int64_t innerSize) {
  std::vector<std::string> names;
  for (const Format &format : codegen::formats())
    if (std::ranges::find(format.storedTypes, stored.name) !=
            format.storedTypes.end() &&
        innerSize % format.innerMultiple == 0)
      names.emplace_back(format.name);
  return joined(names);
}

class Reader {
public:
  explicit Reader(std::string path) : path(std::move(path)) {}

  PackRequest read() {
    std::ifstream stream(path);
    if (!stream)
      fail("cannot open: " + std::string(std::strerror(errno)));
    try {
      const json root = json::parse(stream);
      request.outputPath = root.at("output").get<std::string>();
      sectionOffset = size(root.at("sectionOffset"), "`sectionOffset`");
      request.jobs =
          std::clamp<int64_t>(size(root.at("jobs"), "`jobs`"), 1, 256);
      for (const json &entry : root.at("tensors"))
        request.tensors.push_back(tensor(entry));
    } catch (const json::exception &exception) {
      fail(exception.what());
    }
    return std::move(request);
  }

private:
  const std::string path;
  int64_t sectionOffset = 0;
  PackRequest request;

  [[noreturn]] void fail(const std::string &text) const {
    throw PackError{path + ": error: " + text};
  }

  int64_t size(const json &value, const std::string &what) const {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        (value.is_number_unsigned() &&
         value.get<uint64_t>() > uint64_t(INT64_MAX)))
      fail(what + " is " + value.dump() +
           "; it must be a whole number, not negative");
    return value.get<int64_t>();
  }

  PackTensor tensor(const json &entry) {
    PackTensor tensor;
    tensor.name = entry.at("name").get<std::string>();
    const std::string format = entry.at("format").get<std::string>();
    tensor.kind = format == "vec"    ? PackTensor::Kind::Vector
                  : format == "rope" ? PackTensor::Kind::Rope
                                     : PackTensor::Kind::Weight;
    const std::string about = "`" + tensor.name + "`: ";
    const json &shape = entry.at("shape");
    const size_t rank = tensor.kind == PackTensor::Kind::Vector ? 1 : 2;
    if (!shape.is_array() || shape.size() != rank)
      fail(about + "the shape " + shape.dump() + " has not " +
           std::to_string(rank) + " dimensions");
    tensor.outerSize =
        rank == 1 ? 1 : size(shape[0], about + "the shape's size");
    tensor.innerSize = size(shape[rank - 1], about + "the shape's size");
    // Bounds every product of sizes below: no format needs more than 8 bytes
    // for an element.
    int64_t elements = 0;
    if (tensor.outerSize == 0 || tensor.innerSize == 0 ||
        tensor.outerSize > INT32_MAX || tensor.innerSize > INT32_MAX ||
        __builtin_mul_overflow(tensor.outerSize, tensor.innerSize, &elements) ||
        elements > INT64_MAX / 64)
      fail(about + "the shape " + shape.dump() + " is out of range");

    if (tensor.kind == PackTensor::Kind::Weight) {
      tensor.format = codegen::findFormat(format);
      if (!tensor.format) {
        std::vector<std::string> names{"vec", "rope"};
        for (const Format &known : codegen::formats())
          names.emplace_back(known.name);
        fail(about + "no format `" + format + "`; formats: " + joined(names));
      }
    }
    if (tensor.kind == PackTensor::Kind::Rope)
      rope(entry, about, tensor);
    else
      source(entry.at("source"), about, tensor);
    placePlanes(entry.at("planes"), about, tensor);
    return tensor;
  }

  void rope(const json &entry, const std::string &about,
            PackTensor &tensor) const {
    if (tensor.innerSize % 2 != 0)
      fail(about + "the width " + std::to_string(tensor.innerSize) +
           " of a RoPE table is odd");
    tensor.theta = entry.at("theta").get<float>();
    if (!(tensor.theta > 0) || !codegen::isFinite(tensor.theta))
      fail(about + "`theta` is " + entry.at("theta").dump() +
           "; it must be positive");
  }

  void source(const json &source, const std::string &about,
              PackTensor &tensor) {
    const std::string sourcePath = source.at("path").get<std::string>();
    const std::string type = source.at("storedType").get<std::string>();
    tensor.stored = codegen::findStoredType(type);
    if (!tensor.stored)
      fail(about + "no stored type `" + type + "`");
    if (tensor.innerSize % tensor.stored->blockElements != 0)
      fail(about + "rows of " + std::to_string(tensor.innerSize) +
           " elements are not whole " + type + " blocks of " +
           std::to_string(tensor.stored->blockElements));
    const int64_t inner = tensor.innerSize;
    if (const Format *format = tensor.format) {
      if (std::ranges::find(format->storedTypes, type) ==
          format->storedTypes.end())
        fail(about + "format `" + format->name + "` does not take " + type +
             "; formats that do: " + formatsFor(*tensor.stored, inner));
      if (inner % format->innerMultiple != 0)
        fail(about + "format `" + format->name +
             "` needs an inner size that is a multiple of " +
             std::to_string(format->innerMultiple) + ", got " +
             std::to_string(inner) +
             "; formats that would do: " + formatsFor(*tensor.stored, inner));
    } else if (tensor.stored->blockElements != 1) {
      fail(about + "a vector is stored as floats, not as " + type);
    }

    tensor.sourceOffset =
        size(source.at("offset"), about + "the source's offset");
    const int64_t bytes = size(source.at("size"), about + "the source's size");
    const int64_t wanted = tensor.outerSize * tensor.storedRowBytes();
    if (bytes != wanted)
      fail(about + "the source has " + std::to_string(bytes) +
           " bytes, the shape needs " + std::to_string(wanted));
    tensor.source =
        &request.sources.try_emplace(sourcePath, sourcePath, O_RDONLY)
             .first->second;
    const int64_t fileBytes = tensor.source->sizeBytes();
    if (tensor.sourceOffset > fileBytes ||
        bytes > fileBytes - tensor.sourceOffset)
      throw PackError{
          sourcePath + ": error: " + about + "ends at byte " +
          std::to_string(uint64_t(tensor.sourceOffset) + uint64_t(bytes)) +
          ", the file at " + std::to_string(fileBytes)};
  }

  void placePlanes(const json &entries, const std::string &about,
                   PackTensor &tensor) const {
    const size_t count = tensor.format ? tensor.format->planes.size() : 1;
    int64_t stream = 0;
    if (!entries.is_array() || entries.size() != count)
      fail(about + "got " + std::to_string(entries.size()) +
           " planes, the format has " + std::to_string(count));
    for (size_t i = 0; i < count; ++i) {
      const Plane *plane = tensor.format ? &tensor.format->planes[i] : nullptr;
      if (plane && entries[i].at("name").get<std::string>() != plane->name)
        fail(about + "plane " + std::to_string(i) + " is " +
             entries[i].at("name").dump() + ", the format's is `" +
             plane->name + "`");
      const int64_t offset =
          size(entries[i].at("offset"), about + "a plane's offset");
      const bool joins = plane && plane->joins;
      if (!joins && (offset % 64 != 0 || offset > INT64_MAX / 4 ||
                     sectionOffset > INT64_MAX / 4))
        fail(about + "a plane's offset is " + std::to_string(offset) +
             "; it must be a multiple of 64 in the file");
      if (!joins)
        stream = offset;
      else if (const int64_t start =
                   codegen::blockPlace(*tensor.format, i).startBytes;
               offset - stream != start)
        fail(about + "plane `" + plane->name + "` is at " +
             std::to_string(offset) + "; it must be " + std::to_string(start) +
             " bytes behind the first of its stream, at " +
             std::to_string(stream));
      tensor.planeOffsets.push_back(sectionOffset + offset);
    }
  }
};

} // namespace

PackRequest readPackRequest(const std::string &path) {
  return Reader(path).read();
}

} // namespace qwen
