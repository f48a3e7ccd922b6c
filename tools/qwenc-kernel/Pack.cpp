// Pack.cpp - packs tensors in pieces of about a MiB on several threads.
//
// Numerics  the RoPE table is as HF makes it: f32 exponents, inverse
// frequencies and angles; cosine and sine are rounded
//           once from double
#include "tools/qwenc-kernel/Pack.h"

#include "tools/qwenc-kernel/PackRequest.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <mutex>
#include <optional>
#include <thread>
#include <unistd.h>

namespace qwen {
namespace {

using codegen::Format;
using codegen::kPanelRows;

constexpr int64_t kPieceBytes = int64_t(1) << 20;

/// Rows first .. first + count of one tensor; whole panels of a weight.
struct Piece {
  const PackTensor *tensor;
  int64_t first, count;
  int64_t bytes; // of output, for the progress
};

std::string at(const PackTensor &tensor, int64_t row, int64_t column) {
  const std::string where =
      tensor.kind == PackTensor::Kind::Vector
          ? std::to_string(column)
          : std::to_string(row) + ", " + std::to_string(column);
  return tensor.source->path + ": error: `" + tensor.name + "`[" + where + "] ";
}

/// Says why an element cannot be packed.
PackError unpackable(const PackTensor &tensor, const uint8_t *storedRow,
                     int64_t row, int64_t column) {
  if (tensor.stored->blockElements != 1)
    return {at(tensor, row, column) + "starts a block of " +
            std::to_string(tensor.stored->blockElements) +
            " elements whose scale is not a finite number"};
  float value = 0;
  codegen::loadFloats(tensor.stored->name,
                      storedRow + column * tensor.stored->blockBytes, 1,
                      &value);
  if (!codegen::isFinite(value))
    return {at(tensor, row, column) + "is " +
            (std::isnan(value) ? "nan"
             : value > 0       ? "inf"
                               : "-inf")};
  return {at(tensor, row, column) + "starts a group of " +
          std::to_string(tensor.format->scaleGroup) +
          " elements that are too large for format `" + tensor.format->name +
          "`; use `f32`"};
}

class Packer {
public:
  Packer(const PackRequest &request, const OpenFile &output)
      : request(request), output(output) {
    for (const PackTensor &tensor : request.tensors)
      cut(tensor);
    for (const Piece &piece : pieces)
      totalBytes += piece.bytes;
  }

  /// Packs everything; throws the first error of any thread.
  void run() {
    const size_t jobs =
        std::min(size_t(request.jobs), std::max<size_t>(pieces.size(), 1));
    std::vector<std::thread> threads;
    for (size_t i = 1; i < jobs; ++i)
      threads.emplace_back([this] { work(false); });
    work(true);
    for (std::thread &thread : threads)
      thread.join();
    if (failure)
      throw PackError{failure->text};
    report(true);
  }

private:
  const PackRequest &request;
  const OpenFile &output;
  std::vector<Piece> pieces;
  int64_t totalBytes = 0;
  std::atomic<size_t> nextPiece = 0;
  std::atomic<int64_t> doneBytes = 0;
  std::atomic<bool> stop = false;
  std::mutex failureLock;
  std::optional<PackError> failure;

  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  std::chrono::steady_clock::time_point lastReport =
      std::chrono::steady_clock::now();
  int64_t reportedTenths = 0;
  bool barShown = false;

  void cut(const PackTensor &tensor) {
    int64_t rowBytes = 4 * tensor.innerSize, multiple = 1;
    if (tensor.kind == PackTensor::Kind::Weight) {
      rowBytes =
          codegen::weightBytes(*tensor.format, kPanelRows, tensor.innerSize) /
          kPanelRows;
      multiple = kPanelRows;
    }
    const int64_t rows =
        std::max<int64_t>(kPieceBytes / rowBytes / multiple, 1) * multiple;
    for (int64_t first = 0; first < tensor.outerSize; first += rows) {
      const int64_t count = std::min(rows, tensor.outerSize - first);
      pieces.push_back({&tensor, first, count, count * rowBytes});
    }
  }

  void work(bool reporting) {
    Buffers buffers;
    while (!stop) {
      const size_t index = nextPiece++;
      if (index >= pieces.size())
        return;
      try {
        pack(pieces[index], buffers);
      } catch (const PackError &error) {
        fail(error);
      } catch (const std::exception &exception) {
        fail({output.path + ": error: cannot pack `" +
              pieces[index].tensor->name + "`: " + exception.what()});
      }
      doneBytes += pieces[index].bytes;
      if (reporting)
        report(false);
    }
  }

  void fail(PackError error) {
    const std::lock_guard lock(failureLock);
    if (!failure)
      failure = std::move(error);
    stop = true;
  }

  /// A thread's memory, kept from piece to piece.
  struct Buffers {
    std::vector<uint8_t> stored, packed;
    std::vector<float> floats;
  };

  void pack(const Piece &piece, Buffers &buffers) const {
    switch (piece.tensor->kind) {
    case PackTensor::Kind::Weight:
      return packWeight(piece, buffers);
    case PackTensor::Kind::Vector:
      return packVector(*piece.tensor, buffers);
    case PackTensor::Kind::Rope:
      return packRope(piece, buffers);
    }
  }

  void packWeight(const Piece &piece, Buffers &buffers) const {
    const PackTensor &tensor = *piece.tensor;
    const Format &format = *tensor.format;
    const int64_t rowBytes = tensor.storedRowBytes();
    buffers.stored.resize(size_t(piece.count * rowBytes));
    tensor.source->read(buffers.stored.data(), piece.count * rowBytes,
                        tensor.sourceOffset + piece.first * rowBytes);
    const int64_t inner = tensor.innerSize;
    buffers.packed.resize(
        size_t(codegen::weightBytes(format, piece.count, inner)));

    codegen::PackPanel panel = {tensor.stored->name, {}, inner, {}};
    for (int64_t first = 0; first < piece.count; first += kPanelRows) {
      for (int64_t n = 0; n < kPanelRows; ++n)
        panel.rows[n] = first + n < piece.count
                            ? buffers.stored.data() + (first + n) * rowBytes
                            : nullptr;
      panel.planes =
          codegen::panelBlocks(format, buffers.packed.data(), piece.count,
                               inner, first / kPanelRows);
      if (const int64_t bad = format.pack(panel); bad >= 0) {
        const int64_t row = first + bad / inner;
        throw unpackable(tensor, buffers.stored.data() + row * rowBytes,
                         piece.first + row, bad % inner);
      }
    }
    for (size_t i = 0; i < format.planes.size(); ++i)
      if (!format.planes[i].joins)
        output.write(buffers.packed.data() +
                         codegen::planeStart(format, i, piece.count, inner),
                     codegen::streamBytes(format, i, piece.count, inner),
                     tensor.planeOffsets[i] +
                         codegen::streamBytes(format, i, piece.first, inner));
  }

  void packVector(const PackTensor &tensor, Buffers &buffers) const {
    buffers.stored.resize(size_t(tensor.storedRowBytes()));
    tensor.source->read(buffers.stored.data(), tensor.storedRowBytes(),
                        tensor.sourceOffset);
    const int64_t padded =
        (tensor.innerSize + kPanelRows - 1) / kPanelRows * kPanelRows;
    buffers.floats.assign(size_t(padded), 0.0f);
    codegen::loadFloats(tensor.stored->name, buffers.stored.data(),
                        tensor.innerSize, buffers.floats.data());
    if (const int64_t bad =
            codegen::firstNonFinite(buffers.floats.data(), tensor.innerSize);
        bad >= 0)
      throw unpackable(tensor, buffers.stored.data(), 0, bad);
    writeFloats(buffers, tensor.planeOffsets[0]);
  }

  void packRope(const Piece &piece, Buffers &buffers) const {
    const int64_t width = piece.tensor->innerSize, pairs = width / 2;
    std::vector<float> inverse(static_cast<size_t>(pairs));
    for (int64_t i = 0; i < pairs; ++i) {
      const float exponent = float(2 * i) / float(width);
      inverse[size_t(i)] =
          1.0f / float(std::pow(double(piece.tensor->theta), double(exponent)));
    }
    buffers.floats.resize(size_t(piece.count * width));
    for (int64_t row = 0; row < piece.count; ++row)
      for (int64_t i = 0; i < pairs; ++i) {
        const float angle = float(piece.first + row) * inverse[size_t(i)];
        buffers.floats[size_t(row * width + i)] =
            float(std::cos(double(angle)));
        buffers.floats[size_t(row * width + pairs + i)] =
            float(std::sin(double(angle)));
      }
    writeFloats(buffers,
                piece.tensor->planeOffsets[0] + piece.first * width * 4);
  }

  void writeFloats(const Buffers &buffers, int64_t offset) const {
    output.write(reinterpret_cast<const uint8_t *>(buffers.floats.data()),
                 int64_t(buffers.floats.size()) * 4, offset);
  }

  /// A bar on a terminal; elsewhere a line for every tenth, and none for what
  /// takes less than a second.
  void report(bool last) {
    const auto now = std::chrono::steady_clock::now();
    const int64_t done = last ? totalBytes : doneBytes.load();
    const int64_t percent = totalBytes ? done * 100 / totalBytes : 100;
    if (terminal) {
      if (last ? !barShown : now - lastReport < std::chrono::milliseconds(100))
        return;
      const std::string bar(size_t(percent / 4), '#');
      std::fprintf(stderr, "\rpacking [%-25s] %3d %%%s", bar.c_str(),
                   int(percent), last ? "\n" : "");
      barShown = true;
    } else {
      if (last || percent / 10 == reportedTenths ||
          now - lastReport < std::chrono::seconds(1))
        return;
      std::fprintf(stderr, "packing: %d %% of %lld MiB\n", int(percent),
                   (long long)(totalBytes >> 20));
      reportedTenths = percent / 10;
    }
    lastReport = now;
  }
};

} // namespace

int packMain(const std::string &requestPath) {
  try {
    const PackRequest request = readPackRequest(requestPath);
    const OpenFile output(request.outputPath, O_WRONLY);
    Packer(request, output).run();
    return 0;
  } catch (const PackError &error) {
    std::fprintf(stderr, "%s\n", error.text.c_str());
  } catch (const std::exception &exception) {
    std::fprintf(stderr, "%s: error: %s\n", requestPath.c_str(),
                 exception.what());
  }
  return 1;
}

} // namespace qwen
