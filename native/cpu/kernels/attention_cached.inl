// Attention over the pages of running generations, and what puts keys and values there. Layout:
// ops/ops.h, KvPages.

#include "cpu/kernels/attention_softmax.inl"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

// Items between asking for the memory that one writes to, and writing (kv_append).
constexpr int64_t kAppendAhead = 2;

// Keys and values where KvAppend left them. Decoding reads them once, from far away, in pages that
// no hardware prefetcher connects: with few rows what is seen of the next page is asked for while
// this one is used. After the last one that is the first page of the item that comes next.
template <bool Pairs>
struct PagedTiles {
  const AttentionCached& op;
  const AttentionItem &item, *next;  // null: there is none
  int64_t keys;                      // the item's
  bool prefetch;

  // Keys that an item's last row sees, itself included.
  static int64_t keys_of(const AttentionCached& op, const AttentionItem& item) {
    const int64_t group = op.q_heads / op.pages.kv_heads;
    return op.spans.first_position[item.sequence] + (item.end - 1) / group + 1;
  }
  TileView tile(int64_t index) const {
    const int64_t depth = op.pages.head_dim, at = start(item, index);
    TileView view{op.pages.keys + at, op.pages.values + at, depth};
    const int64_t behind = keys - (index + 1) * kTile;
    const AttentionItem* of = behind > 0 ? &item : next;
    if (!prefetch || !of) return view;
    const int64_t there = start(*of, behind > 0 ? index + 1 : 0);
    const int64_t wanted = least(kTile, behind > 0 ? behind : keys_of(op, *of));
    // The products here have `depth` steps, and as many as there are keys in this tile; half as
    // many of pairs, for half as much memory.
    const int64_t steps = least(kTile, behind + kTile);
    const int64_t lines = (wanted * depth / 16 + steps - 1) / steps;
    view.keys_ahead = {op.pages.keys + there, kTile, (wanted + 15) / 16};
    view.values_ahead = {op.pages.values + there, 16 * lines, lines};
    return view;
  }

 private:
  int64_t start(const AttentionItem& of, int64_t index) const {
    const int32_t* table = op.pages.block_table + of.sequence * op.pages.max_pages;
    return (table[index] * op.pages.kv_heads + of.kv_head) * op.pages.head_dim * kTile /
           kPer<Pairs>;
  }
};

template <bool Pairs>
static void cached(const AttentionCached& op, float* scratch, const AttentionItem& item,
                   const AttentionItem* next) {
  const int64_t row0 = op.spans.cu_rows[item.sequence];
  const int64_t position0 = op.spans.first_position[item.sequence];
  const int64_t depth = op.pages.head_dim, group = op.q_heads / op.pages.kv_heads;
  Arena arena(scratch);
  const Rows x(arena, item.end - item.begin, depth, kPer<Pairs>);
  for (int64_t r = 0; r < x.count; ++r) {
    const int64_t token = (item.begin + r) / group, g = (item.begin + r) % group;
    x.position[r] = int32_t(position0 + token);
    copy_operand<Pairs>(x.q + r * x.q_row,
                        op.q.row(row0 + token) + (item.kv_head * group + g) * depth, op.scale,
                        depth);
  }
  using Tiles = PagedTiles<Pairs>;
  const Tiles source{op, item, next, Tiles::keys_of(op, item), x.count <= 2 * kRows};
  attend<Pairs>(x, source);
  for (int64_t r = 0; r < x.count; ++r) {
    const int64_t token = (item.begin + r) / group, g = (item.begin + r) % group;
    copy_times(op.out.row(row0 + token) + (item.kv_head * group + g) * depth, x.out + r * depth,
               1.0f / x.total[r], depth);
  }
}

template <bool Pairs>
static void append(const KvAppend& op, Range items) {
  const KvPages& pages = op.pages;
  const int64_t depth = pages.head_dim;
  const auto place = [&](int64_t item, int64_t position) {
    const int64_t sequence = item / pages.kv_heads, head = item % pages.kv_heads;
    const int32_t* table = pages.block_table + sequence * pages.max_pages;
    return (table[position / kTile] * pages.kv_heads + head) * depth * kTile / kPer<Pairs>;
  };
  // A key's numbers go to as many lines; those of a few items on are asked for.
  const auto ask = [&](int64_t item) {
    const int64_t sequence = item / pages.kv_heads;
    if (op.spans.cu_rows[sequence] == op.spans.cu_rows[sequence + 1]) return;
    const int64_t position = op.spans.first_position[sequence];
    const int64_t at = place(item, position), slot = position % kTile;
    for (int64_t d = 0; d < depth / kPer<Pairs>; ++d)
      __builtin_prefetch(pages.keys + at + d * kTile + slot, 1);
    for (int64_t d = 0; d < depth; d += 16)
      __builtin_prefetch(pages.values + at + slot / kPer<Pairs> * depth + d, 1);
  };
  for (int64_t item = items.begin; item < items.end; ++item) {
    const int64_t sequence = item / pages.kv_heads, head = item % pages.kv_heads;
    int64_t row = op.spans.cu_rows[sequence];
    int64_t position = op.spans.first_position[sequence];
    if (item + kAppendAhead < items.end) ask(item + kAppendAhead);
    while (row < op.spans.cu_rows[sequence + 1]) {
      const int64_t slot = position % kTile, at = place(item, position);
      const int64_t n = least(kTile - slot, op.spans.cu_rows[sequence + 1] - row);
      transpose_operand<Pairs>(op.k.row(row) + head * depth, op.k.stride, n, depth,
                               pages.keys + at + slot);
      put_keys<Pairs>(pages.values + at, slot, op.v.row(row) + head * depth, op.v.stride, n, depth);
      row += n;
      position += n;
    }
  }
}

}  // namespace attn

inline void attention_cached(const AttentionCached& op, float* scratch, const AttentionItem& item,
                             const AttentionItem* next) {
  op.pages.type == DType::bf16 ? attn::cached<true>(op, scratch, item, next)
                               : attn::cached<false>(op, scratch, item, next);
}

inline void kv_append(const KvAppend& op, Range items) {
  op.pages.type == DType::bf16 ? attn::append<true>(op, items) : attn::append<false>(op, items);
}

}  // namespace kogrpo::KOGRPO_ISA
