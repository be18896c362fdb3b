#include "cuda/attention_schedule.h"

#include <algorithm>

namespace kogrpo::cuda {
namespace {

template <class T, class Cost>
void longest_first(std::vector<T>& items, Cost cost) {
  std::stable_sort(items.begin(), items.end(),
                   [&](const T& a, const T& b) { return cost(a) > cost(b); });
}

}  // namespace

std::vector<AttentionTile> query_tiles(const std::vector<Span>& spans, int64_t group,
                                       int64_t rows) {
  std::vector<AttentionTile> tiles;
  for (const Span& s : spans)
    for (int64_t i = 0; i * rows < s.tokens * group; ++i) tiles.push_back({s, int32_t(i)});
  longest_first(tiles, [&](const AttentionTile& t) {
    const int64_t last = std::min((t.index + 1) * rows, t.span.tokens * group) - 1;
    return t.span.position + last / group;
  });
  return tiles;
}

KeyTiles key_tiles(const std::vector<Span>& spans, int64_t keys) {
  KeyTiles all;
  for (size_t s = 0; s < spans.size(); ++s) {
    // Those that continue it follow it, until the next root.
    size_t last = s + 1;
    if (spans[s].position == 0)
      while (last < spans.size() && spans[last].position > 0) ++last;
    for (int64_t i = 0; i * keys < spans[s].tokens; ++i) {
      const auto begin = int32_t(all.viewers.size());
      all.viewers.push_back(spans[s]);
      for (size_t v = s + 1; v < last; ++v)
        if (spans[v].position > i * keys) all.viewers.push_back(spans[v]);
      all.tiles.push_back({spans[s], int32_t(i), begin, int32_t(all.viewers.size())});
    }
  }
  longest_first(all.tiles, [&](const KeyTile& t) {
    int64_t seen = t.span.tokens - t.index * keys;
    for (int32_t v = t.begin + 1; v < t.end; ++v) seen += all.viewers[size_t(v)].tokens;
    return seen;
  });
  return all;
}

DecodePlan decode_plan(const std::vector<Span>& spans, int64_t part_keys) {
  DecodePlan plan;
  for (const Span& s : spans) {
    const int64_t keys = s.position + s.tokens;
    const auto parts = int32_t((keys + part_keys - 1) / part_keys);
    plan.combined.push_back({s, 0, parts, plan.slots});
    for (int32_t p = 0; p < parts; ++p) plan.parts.push_back({s, p, parts, plan.slots + p});
    plan.slots += parts;
  }
  longest_first(plan.parts, [&](const DecodePart& p) {
    return std::min<int64_t>(part_keys, p.span.position + p.span.tokens - p.part * part_keys);
  });
  return plan;
}

}  // namespace kogrpo::cuda
