// The thread pool: every index once, workers within bounds, exceptions carried, asleep when idle.

#include "cpu/pool.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace kogrpo {
namespace {

double process_cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

TEST_CASE("pool: covers every index once, in ranges that start at multiples of the grain") {
  for (int threads : {1, 2, 3, 8}) {
    Pool pool(threads);
    CHECK(pool.threads() == threads);
    for (int64_t n : {0, 1, 2, 7, 64, 1000})
      for (int64_t grain : {1, 3, 16, 5000}) {
        CAPTURE(threads);
        CAPTURE(n);
        CAPTURE(grain);
        std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
        std::atomic<bool> bad{false};
        pool.run(n, grain, [&](Range r, int worker) {
          if (worker < 0 || worker >= threads || r.begin % grain != 0 || r.begin >= r.end ||
              r.end > n || (r.end != n && r.end % grain != 0))
            bad = true;
          for (int64_t i = r.begin; i < r.end; ++i) ++visits[static_cast<size_t>(i)];
        });
        CHECK(!bad);
        int wrong = 0;
        for (const auto& v : visits) wrong += v != 1;
        CHECK(wrong == 0);
      }
  }
}

TEST_CASE("pool: a worker index is used by one thread at a time") {
  Pool pool(4);
  std::atomic<int> inside[4] = {};
  std::atomic<bool> shared{false};
  for (int loop = 0; loop < 200; ++loop)
    pool.run(64, 1, [&](Range, int worker) {
      if (inside[worker].fetch_add(1) != 0) shared = true;
      std::this_thread::yield();
      inside[worker].fetch_sub(1);
    });
  CHECK(!shared);
}

TEST_CASE("pool: what a loop wrote, the caller and the next loop read") {
  Pool pool(3);
  std::vector<int64_t> a(500, 0), b(500, 0);
  for (int64_t loop = 1; loop <= 2000; ++loop) {
    pool.run(500, 1, [&](Range r, int) {
      for (int64_t i = r.begin; i < r.end; ++i) a[size_t(i)] = loop * i;
    });
    pool.run(500, 7, [&](Range r, int) {
      for (int64_t i = r.begin; i < r.end; ++i) b[size_t(i)] = a[size_t(499 - i)];
    });
    int64_t sum = 0;
    for (int64_t v : b) sum += v;
    REQUIRE(sum == loop * 499 * 500 / 2);
  }
}

TEST_CASE("pool: all threads take part in a loop that needs them") {
  Pool pool(3);
  std::atomic<int> arrived{0};
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  // Nobody leaves before all three are in.
  pool.run(3, 1, [&](Range, int) {
    ++arrived;
    while (arrived < 3 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  });
  CHECK(arrived == 3);
  CHECK(std::chrono::steady_clock::now() < limit);
}

TEST_CASE("pool: the first exception reaches the caller and the pool lives on") {
  for (int threads : {1, 4}) {
    Pool pool(threads);
    for (int loop = 0; loop < 50; ++loop) {
      std::string caught;
      try {
        pool.run(100, 1, [&](Range r, int) {
          if (r.begin <= 42 && 42 < r.end) throw std::runtime_error("item 42");
        });
      } catch (const std::runtime_error& e) {
        caught = e.what();
      }
      CHECK(caught == "item 42");
      std::atomic<int64_t> sum{0};
      pool.run(100, 1, [&](Range r, int) { sum += r.end - r.begin; });
      CHECK(sum == 100);
    }
  }
}

TEST_CASE("pool: a loop inside a loop is refused, also after an exception") {
  for (int threads : {1, 2}) {
    Pool pool(threads);
    CHECK_THROWS_AS(pool.run(8, 1, [&](Range, int) { pool.run(8, 1, [](Range, int) {}); }),
                    std::logic_error);
    std::atomic<int64_t> sum{0};
    pool.run(8, 1, [&](Range r, int) { sum += r.end - r.begin; });
    CHECK(sum == 8);
  }
}

TEST_CASE("pool: wrong arguments are refused") {
  CHECK_THROWS_AS(Pool(0), std::invalid_argument);
  CHECK_THROWS_AS(Pool(-3), std::invalid_argument);
  Pool pool(1);
  CHECK_THROWS_AS(pool.run(1, 0, [](Range, int) {}), std::invalid_argument);
}

TEST_CASE("pool: idle threads sleep") {
  Pool pool(4);
  pool.run(100, 1, [](Range, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the spin is over
  const double before = process_cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  // Three spinning threads would have burnt up to 0.6 s.
  CHECK(process_cpu_seconds() - before < 0.05);
  // And they wake up again.
  std::atomic<int64_t> sum{0};
  pool.run(100, 1, [&](Range r, int) { sum += r.end - r.begin; });
  CHECK(sum == 100);
}

TEST_CASE("pool: starts and ends without work") {
  for (int i = 0; i < 50; ++i) Pool pool(1 + i % 5);
  CHECK(default_threads() >= 1);
  CHECK(threads_for(0) == 1);  // as the library says where it does not know
  CHECK(threads_for(96) == 96);
  CHECK(threads_for(4096) == 1024);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("pool: threads that the system refuses are an error, not the end of the process") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // room for the stacks of a few threads
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlim_t most = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (rlim_t{256} << 20);
    const rlimit limit{most, most};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(2);
    try {
      Pool pool(512);
    } catch (const std::system_error&) {
      _exit(0);
    }
    _exit(1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
#endif

}  // namespace
}  // namespace kogrpo
