#include "engine/blocks.h"

#include <algorithm>
#include <cstring>

namespace kogrpo {

Blocks::Blocks(int64_t bytes) {
  constexpr int64_t kBlock = int64_t{1} << 30;
  for (int64_t left = bytes; left > 0; left -= std::min(left, kBlock))
    blocks_.emplace_back(static_cast<size_t>(std::min(left, kBlock)));
}

void Blocks::write(const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const size_t n = std::min(bytes, blocks_[block_].size() - used_);
    std::memcpy(blocks_[block_].data() + used_, p, n);
    p += n;
    bytes -= n;
    used_ += n;
    if (used_ == blocks_[block_].size()) ++block_, used_ = 0;
  }
}

}  // namespace kogrpo
