#include "cuda/attention_sm90.h"

#include <algorithm>

namespace kogrpo::cuda {

std::vector<QueryTile> query_tiles_sm90(const std::vector<PackedSequence>& sequences) {
  std::vector<QueryTile> tiles;
  for (const PackedSequence& s : sequences)
    for (int32_t first = 0; first < s.tokens; first += kTileRows) tiles.push_back({s, first});
  const auto key_tiles = [](const QueryTile& t) {
    const int32_t last = std::min(t.first + kTileRows, t.sequence.tokens) - 1;
    return (t.sequence.prefix + last) / kTileKeys;
  };
  std::stable_sort(tiles.begin(), tiles.end(), [&](const QueryTile& a, const QueryTile& b) {
    return key_tiles(a) > key_tiles(b);
  });
  return tiles;
}

std::vector<QueryTile> key_tiles_sm90(const std::vector<PackedSequence>& sequences) {
  std::vector<QueryTile> tiles;
  for (const PackedSequence& s : sequences)
    for (int32_t first = 0; first < s.tokens; first += kTileKeys) tiles.push_back({s, first});
  std::stable_sort(tiles.begin(), tiles.end(), [](const QueryTile& a, const QueryTile& b) {
    return a.sequence.tokens - a.first > b.sequence.tokens - b.first;
  });
  return tiles;
}

}  // namespace kogrpo::cuda
