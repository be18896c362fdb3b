#pragma once
// What the tests of attention share: packed batches, both passes, and the loss whose derivatives
// the backward computes.

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

// q, k, v side by side in one matrix, as the fused projection leaves them; out and dout likewise
// inside wider ones, so that no row is where a contiguous tensor would have it.
struct Batch {
  Geometry geometry;
  std::vector<int32_t> cu{0};
  std::vector<int32_t> prefixes;  // empty: none
  bool causal = true;
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
  op.scale = g.scale(), op.causal = b.causal;
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
  op.scale = g.scale(), op.causal = b.causal;
  if (!b.prefixes.empty()) op.prefixes = ints(b.prefixes.data(), int64_t(b.prefixes.size()));
  ops.attention_backward(op);
}

inline Result both(Ops& ops, Batch& b) {
  Result r;
  forward(ops, b, r);
  backward(ops, b, r);
  return r;
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
