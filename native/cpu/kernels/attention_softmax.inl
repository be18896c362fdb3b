#pragma once
// Attention of a block of query rows: softmax computed online over tiles of 64 keys
// (FlashAttention, arXiv 2205.14135, 2307.08691; the running maximum is Milakov and Gimelshein's,
// arXiv 1805.02867).
//
// A query row's arithmetic is fixed by the row and its keys: key tiles start at multiples of 64; a
// score is one chain of fused multiply-adds over d, from the query times `scale`; the tile's sum of
// exponentials is (p0+p1)+(p2+p3) over its four vectors, then the lane tree; the output is one
// chain over the keys, rescaled where a tile starts. In bfloat16 the query times `scale`, keys,
// values and exponentials are rounded as products read them; their sum is of the unrounded. Rows of
// a block only share loads. So a whole sequence, a prompt chunk and a single decoded row agree to
// the bit. Keys that a row does not see are left out by selects and loop bounds, never multiplied
// by zero: what lies there may be NaN.

#include "cpu/kernels/attention_products.inl"

namespace kogrpo::KOGRPO_ISA {
namespace attn {

// A block of query rows between tiles, queries as products read them: outputs not yet divided by
// the sum of exponentials.
struct Rows {
  int64_t count, depth, q_row;
  float *q, *out, *score;                 // [count][q_row], [count][depth], [count][kTile]
  float *top, *total, *factor, *partial;  // [count]: maximum, Σ exp, rescaling, the tile's Σ exp
  int32_t *position, *visible;            // [count]

  Rows(Arena& arena, int64_t n, int64_t d, int64_t per)
      : count(n),
        depth(d),
        q_row(d / per),
        q(arena.floats(n * q_row)),
        out(arena.floats(n * d)),
        score(arena.floats(n * kTile)),
        top(arena.floats(n)),
        total(arena.floats(n)),
        factor(arena.floats(n)),
        partial(arena.floats(n)),
        position(arena.ints(n)),
        visible(arena.ints(n)) {}
};

// eˣ for x ≤ 0, to 1 ulp or so down to the smallest normal number, which stands for all below it:
// simd.h's polynomial without its care for denormals and overflow. NaN stays NaN.
KOGRPO_INLINE f32x16 exp_weight(f32x16 x) {
  const f32x16 low = set1(-87.0f);
  const i32x16 n = round_to_int(mul(max(x, low), set1(1.44269504088896341f)));
  const f32x16 nf = to_float(n);
  f32x16 r = fma(nf, set1(-0.693359375f), max(low, x));
  r = fma(nf, set1(2.12194440e-4f), r);
  f32x16 p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = add(fma(p, mul(r, r), r), set1(1.0f));
  return mul(p, floats(shift_left<23>(iadd(n, iset1(127)))));
}

// Scores of rows [begin, count) become exponentials relative to the new maximum; of pairs, words of
// them, in the first half of the row.
template <bool Pairs>
static void softmax_tile(const Rows& x, int64_t begin) {
  const f32x16 nothing = set1(-__builtin_inff());
  float fresh[16];
  for (int64_t block = begin; block < x.count; block += 16) {
    const int64_t end = least(block + 16, x.count);
    for (int64_t r = block; r < end; ++r) {
      float* s = x.score + r * kTile;
      const int n = x.visible[r];
      f32x16 high = nothing;  // passes over NaN, which the exponentials keep
      KOGRPO_UNROLL
      for (int v = 0; v < kTileVectors; ++v) {
        if (n <= 16 * v) break;
        const f32x16 tile = load(s + 16 * v);
        high = max(n >= 16 * v + 16 ? tile : first(n - 16 * v, tile, nothing), high);
      }
      fresh[r - block] = max_lane(high);
    }
    const int lanes = int(end - block);
    const f32x16 old = load_first(lanes, x.top + block);
    const f32x16 top = max(load_first(lanes, fresh), old);
    store_first(lanes, x.top + block, top);
    const f32x16 factor = exp_weight(sub(old, top));
    store_first(lanes, x.factor + block, factor);
    for (int64_t r = block; r < end; ++r) {
      float* s = x.score + r * kTile;
      const int n = x.visible[r];
      const f32x16 t = set1(x.top[r]);
      f32x16 p[kTileVectors];
      KOGRPO_UNROLL
      for (int v = 0; v < kTileVectors; ++v) {
        if (n <= 16 * v) {
          p[v] = zero();
          continue;
        }
        p[v] = exp_weight(sub(load(s + 16 * v), t));
        if (n < 16 * v + 16) p[v] = first(n - 16 * v, p[v], zero());
        if constexpr (!Pairs) store(s + 16 * v, p[v]);
      }
      if constexpr (Pairs) {
        store(s, join_keys(p[0], p[1]));
        store(s + 16, join_keys(p[2], p[3]));
      }
      x.partial[r] = sum(add(add(p[0], p[1]), add(p[2], p[3])));
    }
    store_first(
        lanes, x.total + block,
        fma(load_first(lanes, x.total + block), factor, load_first(lanes, x.partial + block)));
  }
}

struct TileView {
  const float* keys;    // [depth][kTile], or [depth/2][kTile] words
  const float* values;  // [kTile][value_step], or [kTile/2][value_step] words
  int64_t value_step;
  Ahead keys_ahead = {}, values_ahead = {};  // the next tile's, if that is worth asking for
};

// Runs the rows (q scaled, position ascending) over the tiles of `source`.
template <bool Pairs, class Source>
static void attend(const Rows& x, Source& source) {
  clear(x.out, x.count * x.depth);
  for (int64_t r = 0; r < x.count; ++r) {
    x.top[r] = -__builtin_inff();
    x.total[r] = 0;
  }
  int64_t begin = 0;
  for (int64_t tile = 0; tile <= x.position[x.count - 1] / kTile; ++tile) {
    while (x.position[begin] < tile * kTile) ++begin;
    for (int64_t r = begin; r < x.count; ++r)
      x.visible[r] = int32_t(least(kTile, x.position[r] + 1 - tile * kTile));
    const TileView view = source.tile(tile);
    scores<Pairs>(x.q + begin * x.q_row, x.count - begin, x.depth, view.keys, x.visible + begin,
                  x.score + begin * kTile, view.keys_ahead);
    softmax_tile<Pairs>(x, begin);
    weigh<Pairs>(x.score + begin * kTile, x.count - begin, x.visible + begin, view.values,
                 view.value_step, x.depth, x.out + begin * x.depth, Start::rescale,
                 x.factor + begin, view.values_ahead);
  }
}

}  // namespace attn
}  // namespace kogrpo::KOGRPO_ISA
