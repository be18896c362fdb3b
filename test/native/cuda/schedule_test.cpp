// Host-side plans of the attention kernels, and errors of the runtime layer.

#include <doctest/doctest.h>

#include <set>

#include "cuda/attention_schedule.h"
#include "cuda/context.h"

namespace kogrpo::cuda {
namespace {

TEST_CASE("query tiles cover every packed row once, longest first") {
  const int32_t cu[] = {0, 10, 10, 210, 240};
  const auto spans = spans_of_batch(cu, 4);
  REQUIRE(spans.size() == 3);  // the empty sequence has no span
  CHECK(spans[1].row == 10);
  CHECK(spans[1].sequence == 2);
  const auto tiles = query_tiles(spans, 5, 64);
  // 50, 1000 and 150 packed rows: 1 + 16 + 3 tiles.
  CHECK(tiles.size() == 20);
  std::set<std::pair<int32_t, int32_t>> seen;
  int64_t previous = 1 << 30;
  for (const AttentionTile& t : tiles) {
    seen.insert({t.span.sequence, t.index});
    const int64_t last = std::min<int64_t>((t.index + 1) * 64, t.span.tokens * 5) - 1;
    CHECK(last / 5 <= previous);
    previous = last / 5;
  }
  CHECK(seen.size() == 20);
  CHECK(tiles.front().span.sequence == 2);
  CHECK(tiles.front().index == 15);
}

TEST_CASE("key tiles: those that most queries see come first") {
  const int32_t cu[] = {0, 100, 300};
  const auto tiles = key_tiles(spans_of_batch(cu, 2), 64).tiles;
  CHECK(tiles.size() == 2 + 4);
  CHECK(tiles[0].span.sequence == 1);
  CHECK(tiles[0].index == 0);
  CHECK(tiles.back().span.tokens - tiles.back().index * 64 == 8);
}

TEST_CASE("a shared prefix's keys are seen by those that continue it") {
  const int32_t cu[] = {0, 100, 130, 140, 150}, prefixes[] = {0, 100, 40, 0};
  const auto spans = spans_of_batch(cu, 4, prefixes);
  CHECK(spans[2].root == 0);
  CHECK(spans[2].position == 40);
  const KeyTiles keys = key_tiles(spans, 64);
  REQUIRE(keys.tiles.size() == 2 + 1 + 1 + 1);
  CHECK(keys.tiles[0].end - keys.tiles[0].begin == 3);  // keys 0…63: all three
  CHECK(keys.viewers[size_t(keys.tiles[0].begin) + 2].sequence == 2);
  CHECK(keys.tiles[1].index == 1);  // keys 64…99: not the one that continues the first 40
  CHECK(keys.tiles[1].end - keys.tiles[1].begin == 2);
}

TEST_CASE(
    "a decode plan cuts at fixed positions and gives every part a slot "
    "of its own") {
  const std::vector<Span> spans = {{0, 1, 0, 0}, {1, 1, 511, 1}, {2, 1, 1024, 2}};
  const DecodePlan plan = decode_plan(spans, 512);
  CHECK(plan.slots == 1 + 1 + 3);
  CHECK(plan.parts.size() == 5);
  REQUIRE(plan.combined.size() == 3);
  CHECK(plan.combined[2].parts == 3);
  CHECK(plan.combined[2].slot == 2);
  std::set<int32_t> slots;
  for (const DecodePart& p : plan.parts) slots.insert(p.slot);
  CHECK(slots.size() == 5);
  CHECK(plan.parts.back().span.sequence == 2);  // the part with one key, after the one with one key
}

TEST_CASE("equal index arrays are uploaded once, changed ones again") {
  Context context(0);
  std::vector<int32_t> a = {1, 2, 3};
  const int32_t* first = context.upload(a.data(), a.size());
  const std::vector<int32_t> same = {1, 2, 3};
  CHECK(context.upload(same.data(), same.size()) == first);
  a[1] = 7;
  const int32_t* second = context.upload(a.data(), a.size());
  CHECK(second != first);
  int32_t back = 0;
  KOGRPO_CUDA(cudaMemcpyAsync(&back, second + 1, 4, cudaMemcpyDeviceToHost, context.stream()));
  context.synchronize();
  CHECK(back == 7);
}

TEST_CASE("a device that is not there, and memory that is not there") {
  CHECK_THROWS_WITH_AS(Context(99), doctest::Contains("device 99: there are"), CudaError);
  DeviceBuffer<char> buffer;
  CHECK_THROWS_WITH_AS(buffer.reserve(size_t{1} << 46),
                       doctest::Contains("out of device memory: 67108864 MiB wanted"),
                       DeviceMemoryError);
}

}  // namespace
}  // namespace kogrpo::cuda
