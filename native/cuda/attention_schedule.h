#pragma once
// How attention is cut into blocks, on the host. The query heads that share a
// key/value head are packed: row r of a span is token r / group, head r % group
// of the group, so keys and values are read once for all of them, and a
// decoding row fills a tile as far as it can. Blocks are ordered longest first
// (causal: late tiles see more keys), so the last ones to finish are short.

#include <cstdint>
#include <vector>

namespace kogrpo::cuda {

// A stretch of query tokens: rows [row, row + tokens) of q, at positions
// [position, …) of the sequence; its keys are `sequence`'s. In a packed batch
// the keys at positions before `position` are rows root, root + 1, …: the
// shared prefix that the span continues.
struct Span {
  int32_t row = 0, tokens = 0, position = 0, sequence = 0, root = 0;
};

// Tile `index` (of a fixed number of packed rows, or of keys) of a span.
struct AttentionTile {
  Span span;
  int32_t index = 0;
};

// `prefixes` may be null: none is shared. A prefix continues the nearest
// sequence before it that has none of its own.
inline std::vector<Span> spans_of_batch(const int32_t* cu_seqlens, int64_t sequences,
                                        const int32_t* prefixes = nullptr) {
  std::vector<Span> spans;
  int32_t root = 0;
  for (int64_t s = 0; s < sequences; ++s) {
    const int32_t prefix = prefixes ? prefixes[s] : 0;
    if (prefix == 0) root = cu_seqlens[s];
    if (cu_seqlens[s + 1] > cu_seqlens[s])
      spans.push_back({cu_seqlens[s], cu_seqlens[s + 1] - cu_seqlens[s], prefix, int32_t(s), root});
  }
  return spans;
}

// Tiles of `rows` packed query rows, longest first; equal ones in the spans'
// order.
std::vector<AttentionTile> query_tiles(const std::vector<Span>& spans, int64_t group, int64_t rows);

// Tile `index` of a span's own keys, for their gradient, and who sees them:
// viewers [begin, end), the span itself first, then the spans that continue it
// beyond the tile's first key.
struct KeyTile {
  Span span;
  int32_t index = 0, begin = 0, end = 0;
};
struct KeyTiles {
  std::vector<KeyTile> tiles;  // those that most queries see first
  std::vector<Span> viewers;
};
KeyTiles key_tiles(const std::vector<Span>& spans, int64_t keys);

// Decoding: keys [begin, begin + count) of a span are one part of its work.
// Parts are cut at fixed positions, so that what a row computes does not depend
// on the other rows of the batch.
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
