// The communicator over Gloo: every collective on 1 to 4 ranks (threads), against what it must
// give.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "comm/job_queue.h"
#include "comm_testing.h"
#include "doctest/doctest.h"
#include "ops/device.h"

using namespace kogrpo;
using kogrpo::testing::on_ranks;
using kogrpo::testing::SharedStore;

namespace {
const std::vector<std::string> kFine(4, "");

std::vector<std::string> fine(int size) {
  return {kFine.begin(), kFine.begin() + size};
}
}  // namespace

TEST_CASE("comm: every collective on 1, 2, 3 and 4 ranks") {
  if (!has_gloo()) {
    MESSAGE("left out: this build has no Gloo");
    return;
  }
  for (int size = 1; size <= 4; ++size) {
    CAPTURE(size);
    std::atomic<int> wrong{0};
    const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
      const int rank = c->rank();
      const auto n = static_cast<size_t>(size);
      std::vector<float> f(1001);
      std::vector<double> d(3);
      for (size_t i = 0; i < f.size(); ++i) f[i] = static_cast<float>(i) * float(rank + 1);
      for (size_t i = 0; i < d.size(); ++i) d[i] = 0.5 * double(rank);
      c->all_reduce(f.data(), f.size(), "floats");
      c->all_reduce(d.data(), d.size(), "doubles");
      const int ranks_sum = size * (size + 1) / 2;
      for (size_t i = 0; i < f.size(); ++i) wrong += f[i] != static_cast<float>(i) * ranks_sum;
      for (const double x : d) wrong += x != 0.5 * (ranks_sum - size);

      std::vector<int32_t> mine{rank, 10 * rank}, all(2 * n);
      c->all_gather(mine.data(), all.data(), 8, "gather");
      std::vector<int32_t> to(n), from(n);
      for (int r = 0; r < size; ++r) to[size_t(r)] = 100 * rank + r;
      c->all_to_all(to.data(), from.data(), 4, "exchange");
      for (int r = 0; r < size; ++r) {
        wrong += all[size_t(2 * r)] != r || all[size_t(2 * r + 1)] != 10 * r;
        wrong += from[size_t(r)] != 100 * r + rank;
      }
      int32_t word = rank == size - 1 ? 77 : 0;
      c->broadcast(&word, 4, size - 1, "broadcast");
      wrong += word != 77;

      const std::vector<uint8_t> bytes(static_cast<size_t>(rank * 3), uint8_t(rank));
      const auto everyones = c->all_gather_bytes(bytes, "bytes");
      wrong += everyones.size() != n;
      for (int r = 0; r < size; ++r)
        wrong +=
            everyones[size_t(r)] != std::vector<uint8_t>(static_cast<size_t>(r * 3), uint8_t(r));
      c->barrier("end");
    });
    CHECK(errors == fine(size));
    CHECK(wrong == 0);
  }
}

TEST_CASE("comm: an absent rank is named with the collective it missed; later calls fail at once") {
  if (!has_gloo()) return;
  const auto errors = on_ranks(3, [&](std::unique_ptr<Communicator> c, SharedStore& shared) {
    c->barrier("start");
    if (c->rank() == 1) {
      shared.leave(1);
      return;
    }
    try {
      c->barrier("gradients, step 12");
    } catch (const CommError& e) {
      CHECK(std::string(e.what()) == "gradients, step 12: rank 1 is dead");
    }
    c->barrier("next");
  });
  CHECK(errors == std::vector<std::string>{"next: an earlier collective of this rank failed", "",
                                           "next: an earlier collective of this rank failed"});
}

TEST_CASE("comm: a rank that dies within a transfer ends it for the others, with an explanation") {
  if (!has_gloo()) return;
  const auto errors = on_ranks(
      2,
      [&](std::unique_ptr<Communicator> c, SharedStore&) {
        c->barrier("step 1");
        if (c->rank() == 1) return;  // its connections close
        double x = 1;
        c->all_reduce(&x, 1, "step 1");  // the same label: no further meeting
      },
      3);
  CHECK(errors[0].starts_with("step 1: explained: "));
  CHECK(errors[1] == "");
}

TEST_CASE("comm: jobs run in order beside their owner; after one that fails none does") {
  for (const bool threaded : {false, true}) {
    CAPTURE(threaded);
    JobQueue queue(threaded);
    std::vector<int> order;  // the queue's while jobs are under way, ours after a wait
    uint64_t last = 0;
    for (int i = 0; i < 1000; ++i) last = queue.post([&order, i] { order.push_back(i); });
    CHECK(last == 1000);
    queue.wait(last);
    CHECK(order.size() == 1000);
    CHECK(std::is_sorted(order.begin(), order.end()));
  }
  for (const bool threaded : {false, true}) {
    CAPTURE(threaded);
    JobQueue queue(threaded);
    int later = 0;
    const uint64_t fails = queue.post([] { throw std::runtime_error("the link is down"); });
    const uint64_t next = queue.post([&] { ++later; });
    CHECK_THROWS_WITH(queue.wait(fails), "the link is down");
    CHECK_THROWS_WITH(queue.wait(next), "the link is down");
    CHECK_THROWS_WITH(queue.wait_all(), "the link is down");
    CHECK(later == 0);
  }
}

TEST_CASE("comm: a queue that goes ends the job that runs and drops the others") {
  std::atomic<int> begun{0}, dropped{0};
  {
    JobQueue queue(true);
    queue.post([&] {
      ++begun;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    });
    for (int i = 0; i < 10; ++i) queue.post([&] { ++dropped; });
    while (begun == 0) std::this_thread::yield();
  }
  CHECK(begun == 1);
  CHECK(dropped == 0);
}

TEST_CASE("comm: a time-out that an integer of milliseconds does not hold is refused") {
  const auto device = make_cpu_device(1);
  for (const double seconds : {0.0, -1.0, 2.1e6, 1e300, std::nan("")}) {
    StoreOptions options{.host = "127.0.0.1", .port = 1, .run = "run", .rank = 0, .size = 2};
    options.patience_s = seconds;
    CHECK_THROWS_AS(connect_ranks(options, *device), std::invalid_argument);
    options.patience_s = 1;
    options.limit_s = seconds;
    CHECK_THROWS_AS(connect_ranks(options, *device), std::invalid_argument);
  }
}

TEST_CASE("comm: a store that nobody keeps is a failed collective that says why") {
  StoreOptions options{.host = "127.0.0.1", .port = 1, .run = "run", .rank = 0, .size = 2};
  options.patience_s = 0.2;
  const auto device = make_cpu_device(1);
  CHECK_THROWS_WITH_AS(connect_ranks(options, *device),
                       doctest::Contains("127.0.0.1:1 is lost: no answer: Connection refused"),
                       CommError);
}
