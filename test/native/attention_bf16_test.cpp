// Attention with bfloat16 products: every number within what rounding can do to it, of a
// double-precision reference that rounds the same operands; keys and values count as they are
// stored; and the promises of attention_test.cpp, to the bit, for even and odd groups of heads.

#include "attention_testing.h"
#include "ops/bf16.h"

namespace kogrpo {
namespace {

using namespace testing;

Batch rounding(const Geometry& g, uint32_t seed, bool causal = true) {
  Batch b(g, seed);
  b.precision = Precision::bf16;
  b.causal = causal;
  return b;
}

double rounded_operand(float x) {
  return double(widen(round_to_bf16(x)));
}

// Most that a result may differ from the reference, and what it differs by.
struct Deviation {
  double worst = 0;  // of difference / bound
  void add(double difference, double bound) {
    worst = std::max(worst, std::isnan(difference) ? INFINITY : std::fabs(difference) / bound);
  }
};

// Roundings to bfloat16 err by at most 2⁻⁸ of a number, those to fp32 by 2⁻²⁴. With S the error of
// a score, a chain of D products: p errs by 2S + a few units of its chain (τ), the rounded p by u +
// τ; so a row's output by (u + τ)·Σ p|v|. Its delta = dO·O errs by that times |dO|, ds = p·(dp −
// delta) by p times both terms' errors and u + 2τ of itself, and the sums of rounded p and ds by
// those times the magnitudes they are multiplied with.
void check_bounds(const Batch& b, const Result& r, const Result& expected) {
  const Geometry& g = b.geometry;
  const double u = 0x1p-8, unit = 0x1p-24;
  const int64_t depth = g.head_dim, width = b.width();
  const auto value = [&](int64_t row, int64_t column) {
    return rounded_operand(b.qkv[size_t(row * width + column)]);
  };
  Deviation out, lse, dq, dk, dv;
  std::vector<double> key_bound(b.qkv.size()), value_bound(b.qkv.size());
  for (size_t s = 0; s + 1 < b.cu.size(); ++s)
    for (int64_t t = b.cu[s]; t < b.cu[s + 1]; ++t)
      for (int64_t h = 0; h < g.q_heads; ++h) {
        const int64_t head = h * g.kv_heads / g.q_heads;
        const int64_t k0 = g.wide() + head * depth, v0 = k0 + g.narrow();
        const std::vector<int64_t> seen = b.seen(s, t);
        const auto n = double(seen.size());
        std::vector<double> q, dout, p, dp, dp_error;
        for (int64_t d = 0; d < depth; ++d) {
          q.push_back(rounded_operand(b.qkv[size_t(t * width + h * depth + d)] * g.scale()));
          dout.push_back(rounded_operand(b.dout[size_t(t * g.wide() + h * depth + d)]));
        }
        double score_error = 0, total = 0, top = -INFINITY;
        for (const int64_t j : seen) {
          double score = 0, size = 0, product = 0, product_size = 0;
          for (int64_t d = 0; d < depth; ++d) {
            const double at = q[size_t(d)] * value(j, k0 + d);
            const double of_value = dout[size_t(d)] * value(j, v0 + d);
            score += at, size += std::fabs(at);
            product += of_value, product_size += std::fabs(of_value);
          }
          p.push_back(score), dp.push_back(product);
          dp_error.push_back(double(depth) * unit * product_size);
          score_error = std::max(score_error, double(depth + 2) * unit * size);
          top = std::max(top, score);
        }
        for (double& x : p) total += x = std::exp(x - top);
        for (double& x : p) x /= total;
        const double tau = 4 * score_error + (2 * n + 64) * unit;
        const double of_chain = (n + double(depth) + 64) * unit;
        const size_t at_out = size_t(t * g.wide() + h * depth);
        double delta = 0, delta_error = 0;
        for (int64_t d = 0; d < depth; ++d) {
          double size = 0;
          for (size_t i = 0; i < seen.size(); ++i) size += p[i] * std::fabs(value(seen[i], v0 + d));
          const double bound = (u + tau + of_chain) * size;
          out.add(double(r.out[at_out + size_t(d)]) - double(expected.out[at_out + size_t(d)]),
                  bound);
          delta_error += std::fabs(dout[size_t(d)]) * (bound + double(depth) * unit * size);
        }
        const size_t at_lse = size_t(t * g.q_heads + h);
        lse.add(double(r.lse[at_lse]) - double(expected.lse[at_lse]),
                tau + 4 * unit * (std::fabs(double(expected.lse[at_lse])) + std::fabs(top)));
        for (size_t i = 0; i < seen.size(); ++i) delta += p[i] * dp[i];
        std::vector<double> query_bound(static_cast<size_t>(depth));
        for (size_t i = 0; i < seen.size(); ++i) {
          const double ds = p[i] * (dp[i] - delta), from_terms = p[i] * (dp_error[i] + delta_error);
          const double error = (1 + u + 2 * tau) * from_terms + (u + 2 * tau) * std::fabs(ds) +
                               of_chain * (std::fabs(ds) + from_terms);
          const double rows = double(g.tokens() * g.q_heads) * unit;
          for (int64_t d = 0; d < depth; ++d) {
            const size_t k = size_t(seen[i] * width + k0 + d), v = size_t(seen[i] * width + v0 + d);
            query_bound[size_t(d)] += error * std::fabs(value(seen[i], k0 + d));
            key_bound[k] += (error + rows * std::fabs(ds)) * std::fabs(q[size_t(d)]);
            value_bound[v] += (u + tau + rows) * p[i] * std::fabs(dout[size_t(d)]);
          }
        }
        for (int64_t d = 0; d < depth; ++d) {
          const size_t at = size_t(t * width + h * depth + d);
          dq.add(double(r.dqkv[at]) - double(expected.dqkv[at]),
                 query_bound[size_t(d)] * double(g.scale()) + 1e-30);
        }
      }
  for (int64_t t = 0; t < g.tokens(); ++t)
    for (int64_t c = 0; c < g.narrow(); ++c) {
      const size_t k = size_t(t * width + g.wide() + c), v = k + size_t(g.narrow());
      dk.add(double(r.dqkv[k]) - double(expected.dqkv[k]), key_bound[k] + 1e-30);
      dv.add(double(r.dqkv[v]) - double(expected.dqkv[v]), value_bound[v] + 1e-30);
    }
  CHECK(out.worst < 1);
  CHECK(lse.worst < 1);
  CHECK(dq.worst < 1);
  CHECK(dk.worst < 1);
  CHECK(dv.worst < 1);
}

TEST_CASE("attention in bf16: every number within its rounding of the reference, on any backend") {
  std::mt19937 engine(61);
  for (const int64_t head_dim : {16, 48, 64, 128})
    for (const int64_t group : {1, 2, 3}) {
      const Geometry g = random_geometry(engine, group, head_dim);
      Batch b = rounding(g, uint32_t(engine()), (head_dim / 16 + group) % 2 == 0);
      ReferenceOps reference;
      const Result expected = both(reference, b);
      CAPTURE(head_dim);
      CAPTURE(group);
      CAPTURE(b.causal);
      Result first;
      for_each_table([&](Ops& ops) {
        const Result r = both(ops, b);
        if (first.out.empty()) {
          check_bounds(b, r, expected);
          first = r;
        }
        CHECK(same_bits(r.out, first.out));
        CHECK(same_bits(r.lse, first.lse));
        CHECK(same_bits(r.dqkv, first.dqkv));
      });
    }
}

TEST_CASE("attention in bf16: keys and values count as they are stored") {
  Geometry g;
  g.kv_heads = 2, g.q_heads = 4, g.head_dim = 32, g.lengths = {77, 5, 130};
  Batch b = rounding(g, 5), stored = b, wide = b;
  wide.precision = Precision::f32;
  for (int64_t t = 0; t < g.tokens(); ++t)
    for (int64_t c = g.wide(); c < b.width(); ++c) {
      float& x = stored.qkv[size_t(t * b.width() + c)];
      x = widen(round_to_bf16(x));
    }
  for_each_table([&](Ops& ops) {
    const Result r = both(ops, b), again = both(ops, stored);
    CHECK(same_bits(r.out, again.out));
    CHECK(same_bits(r.lse, again.lse));
    CHECK(same_bits(r.dqkv, again.dqkv));
    CHECK_FALSE(same_bits(r.out, both(ops, wide).out));
  });
}

TEST_CASE("attention in bf16: a sequence alone has the bits it has in any batch, on any threads") {
  std::mt19937 engine(67);
  for (const int64_t group : {1, 2, 5})
    for (const bool causal : {true, false}) {
      Geometry g = random_geometry(engine, group, 16);
      g.lengths = {70, 1, 197, 33};
      Batch packed = rounding(g, uint32_t(engine()), causal);
      for (const KernelTable* kernels : available_kernels()) {
        CAPTURE(kernels->isa);
        CpuOps one(*kernels, 1);
        const Result expected = both(one, packed);
        for (const int threads : {2, 7}) {
          CpuOps many(*kernels, threads);
          const Result r = both(many, packed);
          CHECK(same_bits(r.out, expected.out));
          CHECK(same_bits(r.lse, expected.lse));
          CHECK(same_bits(r.dqkv, expected.dqkv));
        }
        for (size_t s = 0; s < g.lengths.size(); ++s) {
          Geometry alone = g;
          alone.lengths = {g.lengths[s]};
          Batch b = rounding(alone, 1, causal);
          const auto part = [&](const std::vector<float>& x, int64_t width) {
            return std::vector<float>(x.begin() + packed.cu[s] * width,
                                      x.begin() + packed.cu[s + 1] * width);
          };
          b.qkv = part(packed.qkv, packed.width());
          b.dout = part(packed.dout, g.wide());
          const Result r = both(one, b);
          CHECK(same_bits(r.out, part(expected.out, g.wide())));
          CHECK(same_bits(r.lse, part(expected.lse, g.q_heads)));
          CHECK(same_bits(r.dqkv, part(expected.dqkv, packed.width())));
        }
      }
    }
}

TEST_CASE("attention in bf16: cached, in chunks or row by row, is the forward to the bit") {
  std::mt19937 engine(71);
  for (const int64_t group : {1, 2, 5})
    for (const int64_t head_dim : {16, 48, 128}) {
      Geometry g = random_geometry(engine, group, head_dim);
      g.lengths.push_back(head_dim == 128 ? 67 : 131);
      Batch b = rounding(g, uint32_t(engine()));
      CAPTURE(group);
      CAPTURE(head_dim);
      for_each_table([&](Ops& ops) {
        Result r;
        forward(ops, b, r);
        std::mt19937 sizes(7);
        CHECK(same_bits(cached(ops, b, 1, [](int64_t left) { return left; }), r.out));
        CHECK(same_bits(cached(ops, b, 2, [](int64_t) { return int64_t(1); }), r.out));
        CHECK(same_bits(cached(ops, b, 3,
                               [&](int64_t left) {
                                 return std::min<int64_t>(left, 1 + int64_t(sizes() % 90));
                               }),
                        r.out));
      });
    }
}

TEST_CASE("attention in bf16: later tokens, even NaN, do not reach earlier rows") {
  for (const int64_t group : {1, 2})
    for (const size_t row : {size_t(101), size_t(102)}) {
      Geometry g;
      g.kv_heads = 1, g.q_heads = group, g.head_dim = 32, g.lengths = {150};
      Batch b = rounding(g, 77), broken = b;
      for (int64_t i = 0; i < b.width(); ++i)
        broken.qkv[row * size_t(b.width()) + size_t(i)] = std::numeric_limits<float>::quiet_NaN();
      for_each_table([&](Ops& ops) {
        Result clean, dirty;
        forward(ops, b, clean);
        forward(ops, broken, dirty);
        const size_t n = row * size_t(g.wide());
        CHECK(std::memcmp(clean.out.data(), dirty.out.data(), n * sizeof(float)) == 0);
        CHECK(std::isnan(dirty.out[n]));
        CHECK(std::isnan(dirty.lse[row * size_t(group)]));
      });
    }
}

TEST_CASE("attention in bf16: the gradients of rows before a NaN are whole") {
  // Of keys: those that no row with a NaN sees; a pair of rows may hold one of either.
  Geometry g;
  g.head_dim = 16, g.lengths = {70};
  for (const size_t row : {size_t(8), size_t(9)}) {
    Batch b = rounding(g, 79), broken = b;
    for (size_t i = 0; i < 16; ++i) broken.dout[row * 16 + i] = NAN;
    for_each_table([&](Ops& ops) {
      const Result clean = both(ops, b), dirty = both(ops, broken);
      const size_t from = (row + 1) * size_t(b.width());
      CHECK(std::memcmp(clean.dqkv.data() + from, dirty.dqkv.data() + from,
                        (clean.dqkv.size() - from) * sizeof(float)) == 0);
      CHECK(std::isnan(dirty.dqkv[row * size_t(b.width()) + 16]));
    });
  }
}

}  // namespace
}  // namespace kogrpo
