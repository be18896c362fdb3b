// The Hopper vocabulary on the emulation: that it finds what it is there to find (layouts against
// plain matrices: hopper_product_test.cpp).

#if !defined(__CUDACC__) && defined(KOGRPO_EMULATION)

#include "cuda/hopper.cuh"

#include <doctest/doctest.h>

#include <vector>

#include "cuda/attention_sm90.h"
#include "cuda/error.h"
#include "cuda/runtime.h"
#include "cuda/tensor_map.h"
#include "hopper_product.h"
#include "op_testing.h"

namespace kogrpo::cuda {
namespace {

std::vector<bf16> random_bf16(size_t n, uint32_t seed) {
  std::vector<bf16> out;
  for (const float x : testing::random_floats(n, seed, 1)) out.push_back(round_to_bf16(x));
  return out;
}

Tensor matrix(std::vector<bf16>& x, int64_t rows) {
  return {x.data(), DType::bf16, rows, 128, 128};
}

TEST_CASE("reading a tile before its barrier shows") {
  auto a = random_bf16(128 * 128, 1);
  std::vector<float> d(64 * 128, 0);
  launch(nullptr, "product", {dim3(2), dim3(128), kProductBytes}, hopper_product<0>,
         tensor_map(matrix(a, 128), 128), tensor_map(matrix(a, 128), 128), a.data(), false,
         d.data());
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
