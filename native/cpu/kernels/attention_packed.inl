// Causal attention over a packed batch (the backward: attention_backward.inl).

#include "cpu/kernels/attention_softmax.inl"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

// Keys and values of a packed batch, copied tile by tile: the first `prefix` positions from the
// root's rows, the others from the sequence's own.
template <bool Pairs>
struct PackedTiles {
  const AttentionForward& op;
  int64_t prefix_row, prefix, row, tokens, column;  // tokens: the sequence's own
  float *keys, *values;

  TileView tile(int64_t index) {
    const int64_t begin = index * kTile, end = least(begin + kTile, prefix + tokens);
    const int64_t shared = most(least(prefix, end) - begin, 0);
    take(prefix_row + begin, shared, 0);
    take(row + begin + shared - prefix, end - begin - shared, shared);
    return {keys, values, op.head_dim};
  }

 private:
  void take(int64_t from, int64_t n, int64_t slot) {
    if (n == 0) return;
    const int64_t depth = op.head_dim;
    transpose_operand<Pairs>(op.k.row(from) + column, op.k.stride, n, depth, keys + slot);
    put_keys<Pairs>(values, slot, op.v.row(from) + column, op.v.stride, n, depth);
  }
};

template <bool Pairs>
static void forward(const AttentionForward& op, float* scratch, const AttentionItem& item) {
  const int32_t* cu = op.cu_seqlens.i32();
  const int64_t row0 = cu[item.sequence], tokens = cu[item.sequence + 1] - row0;
  const int64_t depth = op.head_dim, group = op.q_heads / op.kv_heads;
  Arena arena(scratch);
  const Rows x(arena, item.end - item.begin, depth, kPer<Pairs>);
  for (int64_t r = 0; r < x.count; ++r) {
    const int64_t token = (item.begin + r) / group, g = (item.begin + r) % group;
    // The last position that the row sees.
    x.position[r] = int32_t(op.causal ? item.prefix + token : tokens - 1);
    copy_operand<Pairs>(x.q + r * x.q_row,
                        op.q.row(row0 + token) + (item.kv_head * group + g) * depth, op.scale,
                        depth);
  }
  PackedTiles<Pairs> source{op,
                            item.prefix_row,
                            item.prefix,
                            row0,
                            tokens,
                            item.kv_head * depth,
                            arena.floats(kTile * depth),
                            arena.floats(kTile * depth)};
  attend<Pairs>(x, source);
  for (int64_t r = 0; r < x.count; r += 16) {
    const int lanes = int(least(16, x.count - r));
    float lse[16];
    const f32x16 total = first(lanes, load_first(lanes, x.total + r), set1(1.0f));
    // + 0·total: log is for finite numbers; a NaN must not end here
    store(lse, add(load_first(lanes, x.top + r), fma(total, zero(), log(total))));
    for (int i = 0; i < lanes; ++i) {
      const int64_t token = (item.begin + r + i) / group;
      const int64_t head = item.kv_head * group + (item.begin + r + i) % group;
      copy_times(op.out.row(row0 + token) + head * depth, x.out + (r + i) * depth,
                 1.0f / x.total[r + i], depth);
      op.lse.row(row0 + token)[head] = lse[i];
    }
  }
}

}  // namespace attn

inline void attention_forward(const AttentionForward& op, float* scratch,
                              const AttentionItem& item) {
  op.precision == Precision::bf16 ? attn::forward<true>(op, scratch, item)
                                  : attn::forward<false>(op, scratch, item);
}

}  // namespace kogrpo::KOGRPO_ISA
