// Attention backward over a packed batch, with groups of sequences that share a prefix.
//
// P is recomputed from the log-sum-exp; with delta = dO·O per row, dS = P∘(dP − delta):
// dV = Pᵀ dO, dK = dSᵀ (scale·Q), dQ = scale · dS K (FlashAttention-2, arXiv 2307.08691, alg. 2).
// Tiles of keys outside, blocks of query rows inside. A query's gradient is one chain over its keys
// in order; a key's one chain over the rows that see it: those of its own sequence, then, for a
// shared key, those of the group's other sequences in their order. Tiles of a sequence's own keys
// start at its own first row: where a chain is cut does not show in its value.

#include "cpu/kernels/attention_softmax.inl"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

// One item's work: scratch, and the tile of keys at hand.
template <bool Pairs>
struct BackwardPass {
  const AttentionBackward& op;
  int64_t depth, group, block_tokens, kv_head, key_column, query_column;
  int64_t first_row;  // that lse and delta begin with
  bool queries, keys;
  // As products read them: q and dout along d and along rows, ds along keys and along rows. Of
  // floats the two are one.
  float *q, *q_rows, *dout, *dout_rows, *dq, *p, *ds, *ds_rows, *keys_t, *values_t, *k, *dk, *dv;
  int32_t *visible, *from;
  float *lse, *delta;  // per row of the item

  BackwardPass(const AttentionBackward& o, Arena& arena, const AttentionBackwardItem& item,
               int64_t row_begin, int64_t row_end)
      : op(o),
        depth(o.head_dim),
        group(o.q_heads / o.kv_heads),
        block_tokens(attention_block_tokens(group)),
        kv_head(item.kv_head),
        key_column(kv_head * depth),
        query_column(kv_head * group * depth),
        first_row(row_begin),
        queries(item.queries),
        keys(item.keys) {
    const int64_t rows = block_tokens * group;
    q = arena.floats(rows * depth / kPer<Pairs>);
    dout = arena.floats(rows * depth / kPer<Pairs>);
    q_rows = Pairs ? arena.floats((rows + 1) / 2 * depth) : q;
    dout_rows = Pairs ? arena.floats((rows + 1) / 2 * depth) : dout;
    dq = arena.floats(rows * depth);
    p = arena.floats(rows * kTile);
    ds = arena.floats(rows * kTile);
    ds_rows = Pairs ? arena.floats((rows + 1) / 2 * kTile) : ds;
    keys_t = arena.floats(kTile * depth / kPer<Pairs>);
    values_t = arena.floats(kTile * depth / kPer<Pairs>);
    k = arena.floats(kTile * depth / kPer<Pairs>);
    dk = arena.floats(kTile * depth);
    dv = arena.floats(kTile * depth);
    visible = arena.ints(rows);
    from = arena.ints(kTile);
    lse = arena.floats((row_end - row_begin) * group);
    delta = arena.floats((row_end - row_begin) * group);
    for (int64_t row = row_begin; row < row_end; ++row)
      for (int64_t g = 0; g < group; ++g) {
        const int64_t column = query_column + g * depth, r = (row - row_begin) * group + g;
        const float* out = op.out.row(row) + column;
        const float* d = op.dout.row(row) + column;
        f32x16 product = zero();
        for (int64_t i = 0; i < depth; i += 16)
          product = fma(load(out + i), rounded(load(d + i)), product);
        delta[r] = sum(product);
        lse[r] = op.lse.row(row)[kv_head * group + g];
      }
  }

  // Takes the n keys at rows [row, row + n) for the blocks to come.
  void open(int64_t row, int64_t n) {
    const float* key = op.k.row(row) + key_column;
    transpose_operand<Pairs>(key, op.k.stride, n, depth, keys_t);
    transpose_operand<Pairs>(op.v.row(row) + key_column, op.v.stride, n, depth, values_t);
    if (queries) put_keys<Pairs>(k, 0, key, op.k.stride, n, depth);
    if (keys) {
      clear(dk, n * depth);
      clear(dv, n * depth);
    }
  }

  // One block of query rows, tokens [t0, t1) of the sequence that starts at row `row` and position
  // `position`, against the first n keys of the open tile, which start at position `key0`. `last`:
  // the rows see no keys after these.
  void block(int64_t row, int64_t position, int64_t t0, int64_t t1, int64_t key0, int64_t n,
             bool last) {
    const int64_t rows = (t1 - t0) * group, at = (row + t0 - first_row) * group;
    const auto at_row = [&](const Tensor& x, int64_t r) {
      return x.row(row + t0 + r / group) + query_column + r % group * depth;
    };
    for (int64_t r = 0; r < rows; ++r) {
      copy_operand<Pairs>(q + r * depth / kPer<Pairs>, at_row(op.q, r), op.scale, depth);
      copy_operand<Pairs>(dout + r * depth / kPer<Pairs>, at_row(op.dout, r), 1.0f, depth);
      visible[r] = int32_t(op.causal ? least(n, position + t0 + r / group + 1 - key0) : n);
    }
    scores<Pairs>(q, rows, depth, keys_t, visible, p);
    scores<Pairs>(dout, rows, depth, values_t, visible, ds);
    for (int64_t r = 0; r < rows; ++r) {
      const f32x16 l = set1(lse[at + r]), e = set1(delta[at + r]);
      for (int64_t i = r * kTile; i < r * kTile + visible[r]; i += 16) {
        const f32x16 weight = exp_weight(sub(load(p + i), l));
        store(p + i, weight);
        store(ds + i, mul(weight, sub(load(ds + i), e)));
      }
    }
    if constexpr (Pairs) {
      if (keys)
        for (int64_t r = 0; r < rows; r += 2) {
          const int64_t later = r + 1 < rows ? r + 1 : -1;
          join_rows(q_rows + r / 2 * depth, at_row(op.q, r),
                    later < 0 ? nullptr : at_row(op.q, later), op.scale, depth);
          join_rows(dout_rows + r / 2 * depth, at_row(op.dout, r),
                    later < 0 ? nullptr : at_row(op.dout, later), 1.0f, depth);
        }
      join_weights(rows);
    }
    if (keys) {
      for (int64_t i = 0; i < n; ++i)
        from[i] = op.causal ? int32_t(least(most(key0 + i - position - t0, 0) * group, rows)) : 0;
      gather<Pairs>(p, rows, n, from, dout_rows, depth, dv);
      gather<Pairs>(ds_rows, rows, n, from, q_rows, depth, dk);
    }
    if (!queries) return;
    if (key0 > 0)
      for (int64_t r = 0; r < rows; ++r) copy(dq + r * depth, at_row(op.dq, r), depth);
    weigh<Pairs>(ds, rows, visible, k, depth, depth, dq, key0 > 0 ? Start::accumulate : Start::zero,
                 nullptr);
    for (int64_t r = 0; r < rows; ++r)
      copy_times(at_row(op.dq, r), dq + r * depth, last ? op.scale : 1.0f, depth);
  }

  // Writes the gradients of the open tile's keys.
  void close(int64_t row, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      copy(op.dk.row(row + i) + key_column, dk + i * depth, depth);
      copy(op.dv.row(row + i) + key_column, dv + i * depth, depth);
    }
  }

 private:
  KOGRPO_INLINE static f32x16 rounded(f32x16 x) { return Pairs ? floats(bf16_operand(x)) : x; }

  // p and ds of a block become words: p of rows, in its first half, ds of rows in ds_rows, and of
  // keys in the first half of each of its own rows. What a row does not see is in none that is
  // read.
  void join_weights(int64_t rows) {
    if (keys)
      for (int64_t r = 0; r < rows; r += 2) {
        const bool two = r + 1 < rows;
        for (int64_t i = 0; i < visible[two ? r + 1 : r]; i += 16) {
          const int64_t at = r * kTile + i, to = r / 2 * kTile + i;
          const f32x16 later_p = two ? load(p + at + kTile) : zero();
          const f32x16 later_ds = two ? load(ds + at + kTile) : zero();
          store(p + to, bf16_pairs(later_p, load(p + at)));
          store(ds_rows + to, bf16_pairs(later_ds, load(ds + at)));
        }
      }
    if (!queries) return;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < visible[r]; i += 32) {
        float* row = ds + r * kTile + i;
        store(row - i / 2, join_keys(load(row), load(row + 16)));
      }
  }
};

template <bool Pairs>
static void backward(const AttentionBackward& op, float* scratch,
                     const AttentionBackwardItem& item) {
  const int32_t* cu = op.cu_seqlens.i32();
  const int32_t* prefixes = op.prefixes.data ? op.prefixes.i32() : nullptr;
  const int64_t block_tokens = attention_block_tokens(op.q_heads / op.kv_heads);
  const int64_t row_begin = cu[item.sequence] + item.block_begin * block_tokens;
  const int64_t row_end =
      item.keys ? cu[item.last]
                : least(cu[item.sequence] + item.block_end * block_tokens, cu[item.last]);
  Arena arena(scratch);
  BackwardPass<Pairs> pass(op, arena, item, row_begin, row_end);

  // Blocks [begin, end) of sequence s against the open tile of n keys at position key0, which are
  // its own or, with `shared`, its prefix's.
  const auto blocks = [&](int64_t s, int64_t begin, int64_t end, int64_t key0, int64_t n,
                          bool shared) {
    const int64_t position = prefixes ? prefixes[s] : 0, tokens = cu[s + 1] - cu[s];
    for (int64_t b = begin; b < end && b * block_tokens < tokens; ++b) {
      const int64_t t0 = b * block_tokens;
      const int64_t last_key = op.causal ? t0 : tokens - 1;
      const bool last = !shared && last_key / kTile == (key0 - position) / kTile;
      pass.block(cu[s], position, t0, least(t0 + block_tokens, tokens), key0, n, last);
    }
  };

  if (!item.keys && prefixes && prefixes[item.sequence] > 0)
    for (int64_t key0 = 0; key0 < prefixes[item.sequence]; key0 += kTile) {
      const int64_t n = least(kTile, prefixes[item.sequence] - key0);
      pass.open(item.prefix_row + key0, n);
      blocks(item.sequence, item.block_begin, item.block_end, key0, n, true);
    }
  // Own keys: of every sequence of the group where all of it is done at once.
  const int64_t own_end = item.queries && item.keys ? item.last : item.sequence + 1;
  for (int64_t s = item.sequence; s < own_end; ++s) {
    const int64_t tokens = cu[s + 1] - cu[s], position = prefixes ? prefixes[s] : 0;
    const bool all = s > item.sequence;
    const int64_t tile_end = all ? (tokens + kTile - 1) / kTile : item.tile_end;
    for (int64_t tile = all ? 0 : item.tile_begin; tile < tile_end; ++tile) {
      const int64_t own0 = tile * kTile, n = least(kTile, tokens - own0), key0 = position + own0;
      pass.open(cu[s] + own0, n);
      // A block lies in one tile, so the first that sees this tile starts at its first key.
      const int64_t first = op.causal ? own0 / block_tokens : 0;
      blocks(s, all ? first : most(item.block_begin, first), all ? tokens : item.block_end, key0, n,
             false);
      if (!item.keys) continue;
      if (s == item.sequence)
        for (int64_t m = s + 1; m < item.last; ++m)
          if (key0 < prefixes[m])
            blocks(m, 0, cu[m + 1] - cu[m], key0, least(n, prefixes[m] - key0), true);
      pass.close(cu[s] + own0, n);
    }
  }
}

}  // namespace attn

inline void attention_backward(const AttentionBackward& op, float* scratch,
                               const AttentionBackwardItem& item) {
  op.precision == Precision::bf16 ? attn::backward<true>(op, scratch, item)
                                  : attn::backward<false>(op, scratch, item);
}

}  // namespace kogrpo::KOGRPO_ISA
