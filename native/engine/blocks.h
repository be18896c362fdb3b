#pragma once
// Bytes in blocks of at most a GiB, filled from front to back: a copy that JavaScript can hold, and
// write to a file while the engine goes on.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ops/buffer.h"

namespace kogrpo {

class Blocks {
 public:
  // Room for as many bytes. Throws std::bad_alloc.
  explicit Blocks(int64_t bytes);
  // Appends; there must be room.
  void write(const void* data, size_t bytes);
  std::vector<Buffer<uint8_t>> take() { return std::move(blocks_); }

 private:
  std::vector<Buffer<uint8_t>> blocks_;
  size_t block_ = 0, used_ = 0;
};

}  // namespace kogrpo
