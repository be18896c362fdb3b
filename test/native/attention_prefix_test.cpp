// Attention over sequences that share a prefix: the bits of the sequences written in full going
// forward; the sum over the copies going backward; the derivatives of the reference; any threads.

#include <algorithm>

#include "attention_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

// A batch with shared prefixes, and the same sequences in full: copied[i] is the row of the shared
// batch that row i of the full one repeats. dout of a repeated prefix row is 0 there.
struct Pair {
  Batch shared, whole;
  std::vector<int64_t> copied;
};

Pair make_pair(Geometry g, const std::vector<int32_t>& prefixes, uint32_t seed,
               Precision precision) {
  Batch shared(g, seed);
  shared.precision = precision;
  shared.prefixes = prefixes;
  for (size_t s = 0; s < prefixes.size(); ++s) g.lengths[s] += prefixes[s];
  Pair pair{shared, Batch(g, 1), {}};
  pair.whole.precision = precision;
  std::fill(pair.whole.dout.begin(), pair.whole.dout.end(), 0.0f);
  for (size_t s = 0; s < prefixes.size(); ++s)
    for (const int64_t row : shared.seen(s, shared.cu[s + 1] - 1)) {
      const auto to = int64_t(pair.copied.size());
      std::copy_n(shared.qkv.begin() + row * shared.width(), shared.width(),
                  pair.whole.qkv.begin() + to * shared.width());
      if (row >= shared.cu[s])
        std::copy_n(shared.dout.begin() + row * g.wide(), g.wide(),
                    pair.whole.dout.begin() + to * g.wide());
      pair.copied.push_back(row);
    }
  return pair;
}

Pair random_pair(std::mt19937& engine, int64_t group, int64_t head_dim, Precision precision) {
  Geometry g;
  g.kv_heads = 1 + int64_t(engine() % 2);
  g.q_heads = g.kv_heads * group;
  g.head_dim = head_dim;
  std::vector<int32_t> prefixes;
  const auto length = [&] {
    const int64_t choices[] = {1, 63, 64, 65, 128, 1 + int64_t(engine() % 150)};
    return choices[engine() % 6];
  };
  for (uint32_t family = 0; family < 1 + engine() % 2; ++family) {
    g.lengths.push_back(length());
    prefixes.push_back(0);
    const auto root = int32_t(g.lengths.back());
    const int32_t choices[] = {root,
                               1,
                               std::min(root, 63),
                               std::min(root, 64),
                               std::min(root, 65),
                               1 + int32_t(engine() % uint32_t(root))};
    const int32_t common = choices[engine() % 6];
    for (uint32_t member = 0; member < engine() % 5; ++member) {
      g.lengths.push_back(length());
      prefixes.push_back(engine() % 4 == 0 ? choices[engine() % 6] : common);
    }
  }
  return make_pair(g, prefixes, uint32_t(engine()), precision);
}

// The part [begin, end) of the columns of every row of x.
std::vector<float> columns(const std::vector<float>& x, int64_t width, int64_t begin, int64_t end) {
  std::vector<float> part;
  for (size_t row = 0; row < x.size() / size_t(width); ++row)
    part.insert(part.end(), x.begin() + int64_t(row) * width + begin,
                x.begin() + int64_t(row) * width + end);
  return part;
}

// Rows of the full batch added where they came from, in double precision.
std::vector<float> gathered(const Pair& pair, const std::vector<float>& whole, int64_t width) {
  std::vector<double> sums(size_t(pair.shared.geometry.tokens() * width));
  for (size_t i = 0; i < pair.copied.size(); ++i)
    for (int64_t j = 0; j < width; ++j)
      sums[size_t(pair.copied[i] * width + j)] += double(whole[i * size_t(width) + size_t(j)]);
  return {sums.begin(), sums.end()};
}

// What the rows of the full batch have in the shared one.
std::vector<float> scattered(const Pair& pair, const std::vector<float>& shared, int64_t width) {
  std::vector<float> rows;
  for (const int64_t row : pair.copied)
    rows.insert(rows.end(), shared.begin() + row * width, shared.begin() + (row + 1) * width);
  return rows;
}

void check_pair(Pair& pair) {
  const Geometry& g = pair.shared.geometry;
  const int64_t width = pair.shared.width();
  ReferenceOps reference;
  const Result expected = both(reference, pair.shared);
  // The reference with prefixes is the reference without.
  const Result in_full = both(reference, pair.whole);
  CHECK(same_bits(scattered(pair, expected.out, g.wide()), in_full.out));
  CHECK(nmse(expected.dqkv, gathered(pair, in_full.dqkv, width)) < 1e-12);
  Result first;
  for_each_cpu_backend([&](Ops& ops) {
    const Result r = both(ops, pair.shared);
    const Result full = both(ops, pair.whole);
    CHECK(same_bits(scattered(pair, r.out, g.wide()), full.out));
    CHECK(same_bits(scattered(pair, r.lse, g.q_heads), full.lse));
    const std::vector<float> sums = gathered(pair, full.dqkv, width);
    CHECK(same_bits(columns(r.dqkv, width, 0, g.wide()), columns(sums, width, 0, g.wide())));
    CHECK(nmse(r.dqkv, sums) < 5e-13);  // 7e-7 relative
    // What rounding does beyond that is held in attention_bf16_test.cpp.
    if (pair.shared.precision == Precision::f32) CHECK(nmse(r.dqkv, expected.dqkv) < 1e-9);
    if (first.out.empty()) first = r;
    CHECK(same_bits(r.dqkv, first.dqkv));
  });
}

TEST_CASE("attention prefixes: the sequences in full, to the bit forward, summed backward") {
  std::mt19937 engine(53);
  for (int64_t head_dim : {16, 32, 64})
    for (int64_t group : {1, 2, 3})
      for (const Precision precision : {Precision::f32, Precision::f32, Precision::bf16}) {
        CAPTURE(head_dim);
        CAPTURE(group);
        CAPTURE(int(precision));
        Pair pair = random_pair(engine, group, head_dim, precision);
        check_pair(pair);
      }
}

TEST_CASE("attention prefixes: around a tile's end, from one token to the whole root") {
  for (const Precision precision : {Precision::f32, Precision::bf16})
    for (const int32_t prefix : {1, 63, 64, 65, 127, 128, 129}) {
      Geometry g;
      g.q_heads = 2, g.head_dim = 16, g.lengths = {129, 1, 64, 70};
      CAPTURE(int(precision));
      CAPTURE(prefix);
      Pair pair = make_pair(g, {0, prefix, prefix, prefix}, uint32_t(prefix), precision);
      check_pair(pair);
    }
}

TEST_CASE("attention prefixes: a family cut into items for many threads keeps its bits") {
  Geometry g;
  g.q_heads = 4, g.kv_heads = 2, g.head_dim = 16, g.lengths = {300, 90, 1, 257, 40, 64};
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    Pair pair = make_pair(g, {0, 210, 210, 64, 0, 33}, 8, precision);
    for (const KernelTable* kernels : available_kernels()) {
      CpuOps one(*kernels, 1);
      const Result expected = both(one, pair.shared);
      for (int threads : {2, 5, 16}) {
        CpuOps many(*kernels, threads);
        const Result r = both(many, pair.shared);
        CHECK(same_bits(r.out, expected.out));
        CHECK(same_bits(r.dqkv, expected.dqkv));
      }
    }
  }
}

TEST_CASE("attention prefixes: the reference's gradients are the derivatives") {
  std::mt19937 engine(6);
  Geometry g;
  g.kv_heads = 2, g.q_heads = 4, g.head_dim = 16, g.lengths = {9, 3, 1, 4, 5};
  Batch b(g, 12);
  b.prefixes = {0, 6, 9, 0, 2};
  ReferenceOps reference;
  const Result r = both(reference, b);
  check_slopes(b, r, engine);
}

TEST_CASE("attention prefixes: one that the root does not have is refused") {
  CpuOps ops(*available_kernels().front(), 1);
  Geometry g;
  g.head_dim = 16, g.lengths = {4, 2};
  Batch b(g, 1);
  Result r;
  b.prefixes = {0, 5};
  CHECK_THROWS_WITH_AS(forward(ops, b, r),
                       "attention_forward: prefixes[1] is 5; the sequence it continues has 4 rows",
                       std::invalid_argument);
  b.prefixes = {2, 0};
  CHECK_THROWS_WITH_AS(forward(ops, b, r),
                       "attention_forward: prefixes[0] is 2; the sequence it continues has 0 rows",
                       std::invalid_argument);
  b.prefixes = {0};
  CHECK_THROWS_WITH_AS(forward(ops, b, r),
                       "attention_forward: prefixes must be int32 of shape [1, 2]",
                       std::invalid_argument);
}

}  // namespace
}  // namespace kogrpo
