#pragma once
// How attention is cut into blocks, on the host. The query heads that share a key/value head are
// packed: row r of a span is token r / group, head r % group of the group, so keys and values are
// read once for all of them, and a decoding row fills a tile as far as it can. Blocks are ordered
// longest first (causal: late tiles see more keys), so the last ones to finish are short.

#include <cstdint>
#include <vector>

namespace kogrpo::cuda {

// A stretch of query tokens: rows [row, row + tokens) of q, at positions [position, …) of the
// sequence; its keys are `sequence`'s.
struct Span {
  int32_t row = 0, tokens = 0, position = 0, sequence = 0;
};

// Tile `index` (of a fixed number of packed rows, or of keys) of a span.
struct AttentionTile {
  Span span;
  int32_t index = 0;
};

inline std::vector<Span> spans_of_batch(const int32_t* cu_seqlens, int64_t sequences) {
  std::vector<Span> spans;
  for (int64_t s = 0; s < sequences; ++s)
    if (cu_seqlens[s + 1] > cu_seqlens[s])
      spans.push_back({cu_seqlens[s], cu_seqlens[s + 1] - cu_seqlens[s], 0, int32_t(s)});
  return spans;
}

// Tiles of `rows` packed query rows, longest first; equal ones in the spans' order.
std::vector<AttentionTile> query_tiles(const std::vector<Span>& spans, int64_t group, int64_t rows);
// Tiles of `keys` keys, for the gradient of keys and values: the earliest see the most queries.
std::vector<AttentionTile> key_tiles(const std::vector<Span>& spans, int64_t keys);

// Decoding: keys [begin, begin + count) of a span are one part of its work. Parts are cut at fixed
// positions, so that what a row computes does not depend on the other rows of the batch.
struct DecodePart {
  Span span;
  int32_t part = 0;   // of this span
  int32_t parts = 0;  // of this span in all
  int32_t slot = 0;   // of its partial result; parts of one span are adjacent
};
struct DecodePlan {
  std::vector<DecodePart> parts;     // longest first
  std::vector<DecodePart> combined;  // one per span, part 0
  int32_t slots = 0;
};
DecodePlan decode_plan(const std::vector<Span>& spans, int64_t part_keys);

}  // namespace kogrpo::cuda
