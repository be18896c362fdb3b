// The Hopper vocabulary on the emulation: layouts against plain matrices, and that the emulation
// finds what it is there to find.

#if !defined(__CUDACC__) && defined(KOGRPO_EMULATION)

#include "cuda/hopper.cuh"

#include <doctest/doctest.h>

#include <vector>

#include "cuda/attention_sm90.h"
#include "cuda/error.h"
#include "cuda/runtime.h"
#include "cuda/tensor_map.h"
#include "op_testing.h"

namespace kogrpo::cuda {
namespace {

std::vector<bf16> random_bf16(size_t n, uint32_t seed) {
  std::vector<bf16> out;
  for (const float x : testing::random_floats(n, seed, 1)) out.push_back(round_to_bf16(x));
  return out;
}

constexpr int kBarriers = 2 * SwizzledTile<128>::bytes;
constexpr size_t kBytes = kBarriers + 64;

// Both tiles by TMA, then one warpgroup: d [64,128] of rows 64 … 127 of A's tile.
//   0  A·Bᵀ, both K-major          1  A·B, B MN-major
//   2  Aᵀ·B, columns 64 … 127 of A as rows of the product      3  as 1, A from registers
void product(TensorMap a_map, TensorMap b_map, const bf16* a, int form, bool wait, float* d) {
  const SwizzledTile<128> ta{0}, tb{SwizzledTile<128>::bytes};
  if (threadIdx.x == 0) {
    barrier_init(kBarriers, 1);
    barrier_init_fence();
  }
  block_sync();
  if (threadIdx.x == 0) {
    barrier_arrive_expect(kBarriers, 2 * SwizzledTile<128>::bytes);
    load_tile(ta, a_map, 0, 0, kBarriers);
    load_tile(tb, b_map, 0, 0, kBarriers);
  }
  if (wait) barrier_wait(kBarriers, 0);
  float c[64] = {};
  const int row = 64 + warp() * 16 + lane() / 4;
  uint32_t words[8][4];
  for (int k = 0; k < 128; k += 16)
    for (int w = 0; w < 4; ++w) {
      const bf16* x = a + (row + w % 2 * 8) * 128 + k + lane() % 4 * 2 + w / 2 * 8;
      words[k / 16][w] = uint32_t(x[0].bits) | uint32_t(x[1].bits) << 16;
    }
  wgmma_begin();
  for (int k = 0; k < 128; k += 16) {
    if (form == 0) wgmma<false, false>(c, ta.k_major(64, k), tb.k_major(0, k), k > 0);
    if (form == 1) wgmma<false, true>(c, ta.k_major(64, k), tb.mn_major(k, 0), k > 0);
    if (form == 2) wgmma<true, true>(c, ta.mn_major(k, 64), tb.mn_major(k, 0), k > 0);
    if (form == 3) wgmma<true>(c, words[k / 16], tb.mn_major(k, 0));
  }
  wgmma_commit();
  wgmma_wait<0>(c);
  for (int n = 0; n < 16; ++n)
    for (int j = 0; j < 4; ++j)
      d[(row - 64 + j / 2 * 8) * 128 + 8 * n + lane() % 4 * 2 + j % 2] = c[4 * n + j];
}

Tensor matrix(std::vector<bf16>& x, int64_t rows) {
  return {x.data(), DType::bf16, rows, 128, 128};
}

TEST_CASE("TMA, descriptors and fragments: a product of two tiles in every form") {
  auto a = random_bf16(128 * 128, 1), b = random_bf16(128 * 128, 2);
  for (int form = 0; form < 4; ++form)
    for (const unsigned blocks : {1u, 2u}) {  // the second block copies and multiplies late
      CAPTURE(form);
      CAPTURE(blocks);
      std::vector<float> d(64 * 128, NAN);
      launch(nullptr, "product", {dim3(blocks), dim3(128), kBytes}, product,
             tensor_map(matrix(a, 128), 128), tensor_map(matrix(b, 128), 128), a.data(), form, true,
             d.data());
      double worst = 0;
      for (int r = 0; r < 64; ++r)
        for (int c = 0; c < 128; ++c) {
          double sum = 0;
          for (int k = 0; k < 128; ++k) {
            const float x = widen(a[size_t(form == 2 ? k * 128 + 64 + r : (64 + r) * 128 + k)]);
            const float y = widen(b[size_t(form == 0 ? c * 128 + k : k * 128 + c)]);
            sum += double(x) * double(y);
          }
          worst = std::max(worst, std::abs(sum - double(d[size_t(r * 128 + c)])));
        }
      CHECK(worst < 1e-4);
    }
}

TEST_CASE("TMA: rows beyond the matrix are 0, and the tile is complete all the same") {
  auto a = random_bf16(100 * 128, 1), b = random_bf16(128 * 128, 2);
  std::vector<float> d(64 * 128, NAN);
  auto whole = a;
  whole.resize(128 * 128, bf16{0});
  launch(nullptr, "product", {dim3(2), dim3(128), kBytes}, product, tensor_map(matrix(a, 100), 128),
         tensor_map(matrix(b, 128), 128), whole.data(), 0, true, d.data());
  for (int r = 0; r < 64; ++r) CHECK((d[size_t(r * 128)] == 0.0f) == (r >= 36));
}

TEST_CASE("reading a tile before its barrier shows") {
  auto a = random_bf16(128 * 128, 1);
  std::vector<float> d(64 * 128, 0);
  launch(nullptr, "product", {dim3(2), dim3(128), kBytes}, product, tensor_map(matrix(a, 128), 128),
         tensor_map(matrix(a, 128), 128), a.data(), 0, false, d.data());
  CHECK(std::isnan(d[0]));
}

void wait_for_nobody() {
  if (threadIdx.x == 0) barrier_init(0, 2);
  block_sync();
  if (threadIdx.x == 1) barrier_arrive(0);
  barrier_wait(0, 0);
}
void arrive_too_often() {
  if (threadIdx.x == 0) {
    barrier_init(0, 1);
    barrier_arrive_expect(0, 16);
    barrier_arrive(0);
  }
}
void uninitialised() {
  barrier_wait(8, 0);
}
void turns(int* order, int* count) {
  const int me = int(threadIdx.x) / 128;
  if (me == 1) named_arrive(1, 256);
  for (int i = 0; i < 3; ++i) {
    named_sync(1 + me, 256);
    if (threadIdx.x % 128 == 0) order[(*count)++] = me;
    named_arrive(2 - me, 256);
  }
  if (me == 0) named_sync(1, 256);
}

TEST_CASE("barriers: deadlocks and miscounts are errors, turns alternate") {
  CHECK_THROWS_WITH_AS(launch(nullptr, "k", {dim3(1), dim3(32), 64}, wait_for_nobody),
                       "k: deadlock: block (0, 0, 0), thread 0 waits for an mbarrier", CudaError);
  CHECK_THROWS_WITH_AS(launch(nullptr, "k", {dim3(1), dim3(32), 64}, arrive_too_often),
                       doctest::Contains("more arrivals than it expects"), CudaError);
  CHECK_THROWS_WITH_AS(launch(nullptr, "k", {dim3(1), dim3(32), 64}, uninitialised),
                       doctest::Contains("an mbarrier was not initialised"), CudaError);
  for (const unsigned blocks : {1u, 2u}) {
    std::vector<int> order(12, -1);
    int count = 0;
    launch(nullptr, "turns", {dim3(blocks), dim3(256), 64}, turns, order.data(), &count);
    REQUIRE(count == int(6 * blocks));
    for (int i = 0; i < count; ++i) CHECK(order[size_t(i)] == i % 2);
  }
}

TEST_CASE("a matrix that TMA cannot read is refused with its shape") {
  std::vector<bf16> x(4096);
  CHECK_THROWS_WITH_AS(
      tensor_map({x.data(), DType::bf16, 8, 128, 132}, 128),
      "cuTensorMapEncodeTiled refuses a matrix of 8 × 128 with rows 132 apart: error 1", CudaError);
}

TEST_CASE("the snake order is a permutation, and gives every block nearly the same work") {
  // 40 heads of one sequence of 4,096 tokens on 132 multiprocessors; cost: key tiles, and about one
  // more for an item's begin and end.
  const auto tiles = query_tiles_sm90({{0, 4096, 0, 0}});
  REQUIRE(tiles.size() == 32);
  CHECK(tiles[0].first == 31 * 128);
  const int items = 32 * 40, blocks = 132;
  std::vector<int> seen(items, 0);
  int longest = 0, total = 0;
  for (int b = 0; b < blocks; ++b) {
    int work = 0;
    for (int i = 0, n; (n = snake(i, b, blocks)) < items; ++i) {
      ++seen[size_t(n)];
      work += tiles[size_t(n / 40)].first / 128 + 2;
    }
    longest = std::max(longest, work);
    total += work;
  }
  for (const int s : seen) CHECK(s == 1);
  CHECK(double(longest) * blocks / total < 1.03);
}

}  // namespace
}  // namespace kogrpo::cuda

#endif
