#pragma once
// What CpuOps' attention (cpu/attention.cpp) and its kernels (cpu/kernels/attention_*.inl) share:
// the work items, and how much scratch an item needs.
//
// The G = Hq/Hkv query heads of a key/value head read the same keys and values, so the query rows
// of one (sequence, key/value head) are numbered token·G + g and computed together. How rows or key
// tiles are cut into items never changes a bit of the results.

#include <cstddef>
#include <cstdint>

namespace kogrpo {

// Most of a head's dimensions.
constexpr int64_t kAttentionDepth = 256;
// Most query rows of a forward item.
constexpr int64_t kAttentionRows = 192;
// Most query rows of a backward block: whole tokens, a power of two of them (at most a tile), so
// that a block never straddles a key tile.
constexpr int64_t kAttentionBackwardRows = 96;

// Query rows [begin, end) of (sequence, kv_head); for AttentionCached rows count from the span's.
struct AttentionItem {
  int64_t sequence = 0, kv_head = 0;
  int64_t begin = 0, end = 0;
  int64_t prefix = 0, prefix_row = 0;  // shared keys before the sequence's own, and their first row
};

// The backward of one kv_head over sequences [sequence, last), or a part of it: gradients of the
// queries of `sequence`'s blocks [block_begin, block_end), gradients of the keys and values of its
// tiles [tile_begin, tile_end), or both (then blocks and tiles are all there are, and the sequences
// after `sequence` get both too). Sequences after `sequence` continue it: its shared keys get their
// contributions.
struct AttentionBackwardItem {
  int64_t sequence = 0, last = 0, kv_head = 0;
  int64_t block_begin = 0, block_end = 0;
  int64_t tile_begin = 0, tile_end = 0;
  bool queries = true, keys = true;
  int64_t prefix_row = 0;
};

// Tokens of a backward block for G query heads per key/value head.
constexpr int64_t attention_block_tokens(int64_t group) {
  int64_t tokens = 64;
  while (tokens > 1 && tokens * group > kAttentionBackwardRows) tokens /= 2;
  return tokens;
}

// Floats of scratch; the kernels align its start to a cache line.
constexpr size_t attention_scratch(int64_t head_dim) {
  return static_cast<size_t>(2 * kAttentionRows * head_dim + kAttentionRows * 64 +
                             2 * 64 * head_dim + 8 * kAttentionRows + 16);
}
// `tokens`: the most rows of the sequences [sequence, last) of an item.
constexpr size_t attention_backward_scratch(int64_t head_dim, int64_t group, int64_t tokens) {
  const int64_t rows = attention_block_tokens(group) * group;
  return static_cast<size_t>(3 * rows * head_dim + 2 * rows * 64 + 5 * 64 * head_dim +
                             32 * (rows + 1) + 2 * rows + 64 + 2 * tokens * group + 16 * 16);
}

}  // namespace kogrpo
