// Attention: against the double-precision reference on random geometries, the reference against
// finite differences, and the promise that a row's bits depend on its own inputs alone (packing,
// threads, instruction sets, prompt chunks, decoding row by row, garbage in unused page slots).

#include "attention_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

// Query heads per key/value head, and whether rows see only what precedes them.
constexpr std::pair<int64_t, bool> kGroupsAndKinds[] = {{1, true},  {2, true},  {5, true},
                                                        {1, false}, {2, false}, {5, false}};

TEST_CASE("attention: the reference's gradients are the derivatives") {
  std::mt19937 engine(5);
  for (const auto& [group, causal] : kGroupsAndKinds) {
    Geometry g;
    g.kv_heads = 2, g.q_heads = 2 * group, g.head_dim = 16, g.lengths = {7, 1, 12};
    Batch b(g, 11 + uint32_t(group));
    b.causal = causal;
    ReferenceOps reference;
    const Result r = both(reference, b);
    const std::vector<double> x(b.qkv.begin(), b.qkv.end());
    double value = 0;
    for (size_t i = 0; i < r.out.size(); ++i) value += double(r.out[i]) * b.dout[i];
    CHECK(value == doctest::Approx(loss(b, x)).epsilon(1e-6));
    check_slopes(b, r, engine);
  }
}

TEST_CASE("attention: forward and backward against the reference") {
  std::mt19937 engine(17);
  for (int64_t head_dim : {16, 32, 48, 64, 128, 256})
    for (int64_t group : {1, 2, 4, 5}) {
      const Geometry g = random_geometry(engine, group, head_dim);
      Batch b(g, uint32_t(engine()));
      // Half of the cases see their whole sequences.
      b.causal = (head_dim / 16 + group) % 2 == 0;
      ReferenceOps reference;
      const Result expected = both(reference, b);
      CAPTURE(head_dim);
      CAPTURE(group);
      CAPTURE(b.causal);
      Result first;
      for_each_cpu_backend([&](Ops& ops) {
        const Result r = both(ops, b);
        CHECK(nmse(r.out, expected.out) < 1e-10);
        CHECK(nmse(r.lse, expected.lse) < 1e-10);
        CHECK(nmse(r.dqkv, expected.dqkv) < 1e-9);
        // Every instruction set and every number of threads: the same bits.
        if (first.out.empty()) first = r;
        CHECK(same_bits(r.out, first.out));
        CHECK(same_bits(r.lse, first.lse));
        CHECK(same_bits(r.dqkv, first.dqkv));
      });
    }
}

TEST_CASE("attention: large scores neither overflow nor lose the small ones") {
  Geometry g;
  g.kv_heads = 1, g.q_heads = 2, g.head_dim = 32, g.lengths = {200};
  Batch b(g, 3);
  for (float& x : b.qkv) x *= 8.0f;  // scores of several hundred
  ReferenceOps reference;
  const Result expected = both(reference, b);
  for_each_cpu_backend([&](Ops& ops) {
    const Result r = both(ops, b);
    CHECK(nmse(r.out, expected.out) < 1e-9);
    CHECK(nmse(r.lse, expected.lse) < 1e-10);
    CHECK(nmse(r.dqkv, expected.dqkv) < 1e-8);
  });
}

TEST_CASE("attention: a sequence alone has the bits it has in any batch and on any threads") {
  std::mt19937 engine(23);
  for (const auto& [group, causal] : kGroupsAndKinds)
    for (int64_t head_dim : {16}) {
      Geometry g = random_geometry(engine, group, head_dim);
      g.lengths = {70, 1, 197, 33};
      Batch packed(g, uint32_t(engine()));
      packed.causal = causal;
      for (const KernelTable* kernels : available_kernels()) {
        CAPTURE(kernels->isa);
        CpuOps one(*kernels, 1);
        const Result expected = both(one, packed);
        for (int threads : {2, 7}) {
          CpuOps many(*kernels, threads);
          const Result r = both(many, packed);
          CHECK(same_bits(r.out, expected.out));
          CHECK(same_bits(r.lse, expected.lse));
          CHECK(same_bits(r.dqkv, expected.dqkv));
        }
        for (size_t s = 0; s < g.lengths.size(); ++s) {
          Geometry alone = g;
          alone.lengths = {g.lengths[s]};
          Batch b(alone, 1);
          b.causal = causal;
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

TEST_CASE("attention: cached, in chunks or row by row, is the forward to the bit") {
  std::mt19937 engine(31);
  for (int64_t group : {1, 2, 4, 5})
    for (int64_t head_dim : {16, 32, 128}) {
      Geometry g = random_geometry(engine, group, head_dim);
      g.lengths.push_back(head_dim == 128 ? 67 : 131);
      Batch b(g, uint32_t(engine()));
      CAPTURE(group);
      CAPTURE(head_dim);
      for_each_cpu_backend([&](Ops& ops) {
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

TEST_CASE("attention: the reference's cache is its forward") {
  std::mt19937 engine(41);
  Batch b(random_geometry(engine, 2, 32), 9);
  ReferenceOps reference;
  Result r;
  forward(reference, b, r);
  CHECK(nmse(cached(reference, b, 4, [](int64_t left) { return std::min<int64_t>(left, 17); }),
             r.out) < 1e-12);
}

TEST_CASE("attention: later tokens, even NaN, do not reach earlier rows") {
  Geometry g;
  g.kv_heads = 1, g.q_heads = 2, g.head_dim = 32, g.lengths = {150};
  Batch b(g, 77);
  for_each_cpu_backend([&](Ops& ops) {
    Result clean, dirty;
    forward(ops, b, clean);
    Batch broken = b;
    const size_t row = 101;
    for (int64_t i = 0; i < b.width(); ++i)
      broken.qkv[row * size_t(b.width()) + size_t(i)] = std::numeric_limits<float>::quiet_NaN();
    forward(ops, broken, dirty);
    const size_t n = row * size_t(g.wide());
    CHECK(std::memcmp(clean.out.data(), dirty.out.data(), n * sizeof(float)) == 0);
    CHECK(std::isnan(dirty.out[n]));
  });
}

TEST_CASE("attention: a NaN among a row's scores shows in its output and log-sum-exp") {
  Geometry g;
  g.head_dim = 32, g.lengths = {90};
  for (const int64_t column : {int64_t(3), g.wide() + 3}) {  // of q, of k
    Batch b(g, 78);
    b.qkv[size_t(70 * b.width() + column)] = std::numeric_limits<float>::quiet_NaN();
    for_each_cpu_backend([&](Ops& ops) {
      Result r;
      forward(ops, b, r);
      CHECK(!std::isnan(r.lse[69]));
      CHECK(!std::isnan(r.out[size_t(69 * g.wide())]));
      CHECK(std::isnan(r.lse[70]));
      CHECK(std::isnan(r.out[size_t(70 * g.wide())]));
      CHECK(std::isnan(r.lse[89]) == (column != 3));
    });
  }
}

TEST_CASE("attention: wrong arguments are named") {
  CpuOps ops(*available_kernels().front(), 1);
  Geometry g;
  g.lengths = {4};
  Result r;
  g.head_dim = 24;
  Batch odd(g, 1);
  CHECK_THROWS_WITH_AS(forward(ops, odd, r),
                       "attention_forward: head_dim is 24; it must be a multiple of 16 up to 256",
                       std::invalid_argument);
  g.head_dim = 16, g.q_heads = 3, g.kv_heads = 2;
  Batch heads(g, 1);
  CHECK_THROWS_WITH_AS(
      forward(ops, heads, r),
      "attention_forward: q_heads is 3, kv_heads is 2; q_heads must be a positive multiple of "
      "kv_heads",
      std::invalid_argument);
  g.q_heads = 2;
  Batch offsets(g, 1);
  offsets.cu = {0, 9};
  CHECK_THROWS_WITH_AS(forward(ops, offsets, r),
                       "attention_forward: cu_seqlens ends at 9, beyond the 4 rows",
                       std::invalid_argument);
}

}  // namespace
}  // namespace kogrpo
