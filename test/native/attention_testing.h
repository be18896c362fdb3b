#pragma once
// What the tests of attention share: packed batches, both passes, and the loss whose derivatives
// the backward computes.

#include <algorithm>
#include <numeric>
#include <random>

#include "op_testing.h"

namespace kogrpo::testing {

struct Geometry {
  int64_t q_heads = 1, kv_heads = 1, head_dim = 16;
  std::vector<int64_t> lengths;
  int64_t tokens() const { return std::accumulate(lengths.begin(), lengths.end(), int64_t(0)); }
  int64_t wide() const { return q_heads * head_dim; }
  int64_t narrow() const { return kv_heads * head_dim; }
  float scale() const { return 1.0f / std::sqrt(float(head_dim)); }
};

inline Geometry random_geometry(std::mt19937& engine, int64_t group, int64_t head_dim) {
  Geometry g;
  g.kv_heads = 1 + int64_t(engine() % 2);
  g.q_heads = g.kv_heads * group;
  g.head_dim = head_dim;
  const int64_t sequences = 1 + int64_t(engine() % 3);
  const uint32_t longest = head_dim * group > 128 ? 100 : 300;  // the scalar kernels are slow
  for (int64_t i = 0; i < sequences; ++i) {
    const int64_t choices[] = {1, 63, 64, 65, 97, 1 + int64_t(engine() % longest)};
    g.lengths.push_back(choices[std::min<uint32_t>(engine() % 9, 5)]);
  }
  return g;
}

// q, k, v side by side in one matrix, as the fused projection leaves them; out and dout likewise
// inside wider ones, so that no row is where a contiguous tensor would have it.
struct Batch {
  Geometry geometry;
  std::vector<int32_t> cu{0};
  std::vector<int32_t> prefixes;  // empty: none
  bool causal = true;
  Precision precision = Precision::f32;
  std::vector<float> qkv, dout;

  Batch(const Geometry& g, uint32_t seed) : geometry(g) {
    for (int64_t n : g.lengths) cu.push_back(cu.back() + int32_t(n));
    qkv = random_floats(size_t(g.tokens() * width()), seed);
    dout = random_floats(size_t(g.tokens() * g.wide()), seed + 1);
  }
  // Rows of the keys that row t of sequence s sees.
  std::vector<int64_t> seen(size_t s, int64_t t) const {
    std::vector<int64_t> rows;
    size_t root = s;
    while (!prefixes.empty() && prefixes[root] > 0) --root;
    for (int64_t i = 0; !prefixes.empty() && i < prefixes[s]; ++i) rows.push_back(cu[root] + i);
    const int64_t last = causal ? t : cu[s + 1] - 1;
    for (int64_t row = cu[s]; row <= last; ++row) rows.push_back(row);
    return rows;
  }
  int64_t width() const { return geometry.wide() + 2 * geometry.narrow(); }
  Tensor all(std::vector<float>& x) const { return matrix(x.data(), geometry.tokens(), width()); }
  Tensor q(std::vector<float>& x) const { return all(x).columns(0, geometry.wide()); }
  Tensor k(std::vector<float>& x) const {
    return all(x).columns(geometry.wide(), geometry.narrow());
  }
  Tensor v(std::vector<float>& x) const {
    return all(x).columns(geometry.wide() + geometry.narrow(), geometry.narrow());
  }
};

struct Result {
  std::vector<float> out, lse, dqkv;
};

inline void forward(Ops& ops, Batch& b, Result& r) {
  const Geometry& g = b.geometry;
  r.out = poisoned(size_t(g.tokens() * g.wide()));
  r.lse = poisoned(size_t(g.tokens() * g.q_heads));
  AttentionForward op;
  op.q = b.q(b.qkv), op.k = b.k(b.qkv), op.v = b.v(b.qkv);
  op.out = matrix(r.out.data(), g.tokens(), g.wide());
  op.lse = matrix(r.lse.data(), g.tokens(), g.q_heads);
  op.cu_seqlens = ints(b.cu.data(), int64_t(b.cu.size()));
  op.q_heads = g.q_heads, op.kv_heads = g.kv_heads, op.head_dim = g.head_dim;
  op.scale = g.scale(), op.causal = b.causal, op.precision = b.precision;
  if (!b.prefixes.empty()) op.prefixes = ints(b.prefixes.data(), int64_t(b.prefixes.size()));
  ops.attention_forward(op);
}

inline void backward(Ops& ops, Batch& b, Result& r) {
  const Geometry& g = b.geometry;
  r.dqkv = poisoned(b.qkv.size());
  AttentionBackward op;
  op.q = b.q(b.qkv), op.k = b.k(b.qkv), op.v = b.v(b.qkv);
  op.dq = b.q(r.dqkv), op.dk = b.k(r.dqkv), op.dv = b.v(r.dqkv);
  op.dout = matrix(b.dout.data(), g.tokens(), g.wide());
  op.out = matrix(r.out.data(), g.tokens(), g.wide());
  op.lse = matrix(r.lse.data(), g.tokens(), g.q_heads);
  op.cu_seqlens = ints(b.cu.data(), int64_t(b.cu.size()));
  op.q_heads = g.q_heads, op.kv_heads = g.kv_heads, op.head_dim = g.head_dim;
  op.scale = g.scale(), op.causal = b.causal, op.precision = b.precision;
  if (!b.prefixes.empty()) op.prefixes = ints(b.prefixes.data(), int64_t(b.prefixes.size()));
  ops.attention_backward(op);
}

inline Result both(Ops& ops, Batch& b) {
  Result r;
  forward(ops, b, r);
  backward(ops, b, r);
  return r;
}

// Feeds the sequences of a batch through the cache in steps: `next` says how many rows a sequence
// gets that has `left` to go. Pages are scattered and full of NaN until written.
template <class Next>
std::vector<float> cached(Ops& ops, Batch& b, uint32_t seed, Next next) {
  const Geometry& g = b.geometry;
  const int64_t sequences = int64_t(g.lengths.size());
  const int64_t longest = *std::max_element(g.lengths.begin(), g.lengths.end());
  const int64_t max_pages = (longest + kPageTokens - 1) / kPageTokens;
  std::vector<int32_t> table(size_t(sequences * max_pages), -1), free(table.size() + 3);
  std::iota(free.begin(), free.end(), 0);
  std::shuffle(free.begin(), free.end(), std::mt19937(seed));
  const DType type = b.precision == Precision::bf16 ? DType::bf16 : DType::f32;
  const size_t page_bytes = size_t(g.narrow() * kPageTokens) * size_of(type);
  // 0x7FC1: NaN as bf16, and twice as fp32.
  std::vector<uint16_t> keys(free.size() * page_bytes / 2, 0x7FC1), values = keys;
  KvPages pages{reinterpret_cast<float*>(keys.data()),
                reinterpret_cast<float*>(values.data()),
                table.data(),
                max_pages,
                g.kv_heads,
                g.head_dim,
                type};

  std::vector<float> out = poisoned(size_t(g.tokens() * g.wide()));
  std::vector<int32_t> done(size_t(sequences), 0);
  for (;;) {
    std::vector<int32_t> rows{0}, source;
    for (int64_t s = 0; s < sequences; ++s) {
      const int64_t left = g.lengths[size_t(s)] - done[size_t(s)];
      const int64_t n = left == 0 ? 0 : next(left);
      for (int64_t i = 0; i < n; ++i)
        source.push_back(b.cu[size_t(s)] + done[size_t(s)] + int32_t(i));
      rows.push_back(rows.back() + int32_t(n));
      for (int64_t p = 0; p * kPageTokens < done[size_t(s)] + n; ++p)
        if (int32_t& page = table[size_t(s * max_pages + p)]; page < 0)
          page = free.back(), free.pop_back();
    }
    if (source.empty()) return out;
    std::vector<float> step;
    for (int32_t row : source)
      step.insert(step.end(), b.qkv.begin() + row * b.width(),
                  b.qkv.begin() + (row + 1) * b.width());
    const int64_t count = int64_t(source.size());
    const Tensor all = matrix(step.data(), count, b.width());
    std::vector<float> result = poisoned(size_t(count * g.wide()));
    const RowSpans spans{rows.data(), done.data(), sequences};
    ops.kv_append({all.columns(g.wide(), g.narrow()),
                   all.columns(g.wide() + g.narrow(), g.narrow()), pages, spans});
    ops.attention_cached({all.columns(0, g.wide()), matrix(result.data(), count, g.wide()), pages,
                          spans, g.q_heads, g.scale()});
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(result.begin() + i * g.wide(), g.wide(),
                  out.begin() + source[size_t(i)] * g.wide());
    for (int64_t s = 0; s < sequences; ++s)
      done[size_t(s)] += rows[size_t(s) + 1] - rows[size_t(s)];
  }
}

// Σ dout·out in double precision from double inputs, written apart from the reference.
inline double loss(const Batch& b, const std::vector<double>& x) {
  const Geometry& g = b.geometry;
  const int64_t width = b.width(), depth = g.head_dim;
  double total = 0;
  for (size_t s = 0; s + 1 < b.cu.size(); ++s)
    for (int64_t t = b.cu[s]; t < b.cu[s + 1]; ++t)
      for (int64_t h = 0; h < g.q_heads; ++h) {
        const int64_t kv = h * g.kv_heads / g.q_heads;
        double weights = 0, weighted = 0;
        for (const int64_t j : b.seen(s, t)) {
          double score = 0, value = 0;
          for (int64_t d = 0; d < depth; ++d) {
            score += x[size_t(t * width + h * depth + d)] *
                     x[size_t(j * width + g.wide() + kv * depth + d)];
            value += double(b.dout[size_t(t * g.wide() + h * depth + d)]) *
                     x[size_t(j * width + g.wide() + g.narrow() + kv * depth + d)];
          }
          const double weight = std::exp(score * double(g.scale()));
          weights += weight;
          weighted += weight * value;
        }
        total += weighted / weights;
      }
  return total;
}

// 300 of the input's gradients in `r` against central differences of loss().
inline void check_slopes(const Batch& b, const Result& r, std::mt19937& engine) {
  std::vector<double> x(b.qkv.begin(), b.qkv.end());
  for (int i = 0; i < 300; ++i) {
    const size_t at = engine() % x.size();
    const double h = 1e-5, saved = x[at];
    x[at] = saved + h;
    const double high = loss(b, x);
    x[at] = saved - h;
    const double low = loss(b, x);
    x[at] = saved;
    const double slope = (high - low) / (2 * h);
    CAPTURE(at);
    CHECK(std::fabs(slope - double(r.dqkv[at])) < 1e-6 + 1e-6 * std::fabs(slope));
  }
}

}  // namespace kogrpo::testing
