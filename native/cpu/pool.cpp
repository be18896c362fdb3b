#include "cpu/pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace kogrpo {
namespace {

using Body = std::function<void(Range, int)>;

// True on a thread that is inside some pool's loop.
thread_local bool inside_loop = false;

struct InsideLoop {
  InsideLoop() { inside_loop = true; }
  ~InsideLoop() { inside_loop = false; }
};

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Half a microsecond to a few tens of them, depending on what a pause costs here.
constexpr int kSpins = 2000;

}  // namespace

// One loop is published by raising `generation` and ends when every worker has reported back. The
// ranges are handed out by `next`. Who waits spins first and then sleeps on a condition variable;
// the sleeping side is announced under the mutex, so that a wake-up cannot be lost.
struct Pool::State {
  int threads = 1;
  std::vector<std::thread> workers;

  // The present loop: written by the caller before `generation` is raised.
  const Body* body = nullptr;
  int64_t n = 0, step = 1;

  alignas(64) std::atomic<uint64_t> generation{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int> working{0};
  std::atomic<bool> stop{false};

  std::mutex mutex;
  std::condition_variable start, done;
  int sleeping = 0;            // workers asleep in `start`
  bool caller_sleeps = false;  // the caller asleep in `done`
  std::exception_ptr failure;  // the loop's first exception

  void work(int worker) {
    InsideLoop inside;
    try {
      for (;;) {
        const int64_t begin = next.fetch_add(step, std::memory_order_relaxed);
        if (begin >= n) break;
        (*body)({begin, std::min(begin + step, n)}, worker);
      }
    } catch (...) {
      next.store(n, std::memory_order_relaxed);
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  void serve(int worker) {
    uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins && generation.load(std::memory_order_acquire) == seen;
           ++spin)
        pause();
      if (generation.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex);
        ++sleeping;
        start.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen; });
        --sleeping;
      }
      ++seen;
      if (stop.load(std::memory_order_relaxed)) return;
      work(worker);
      if (working.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(mutex);
        if (caller_sleeps) done.notify_one();
      }
    }
  }

  void publish() {
    bool wake;
    {
      const std::lock_guard lock(mutex);
      generation.fetch_add(1, std::memory_order_release);
      wake = sleeping > 0;
    }
    if (wake) start.notify_all();
  }

  void wait() {
    for (int spin = 0; spin < kSpins && working.load(std::memory_order_acquire) != 0; ++spin)
      pause();
    std::unique_lock lock(mutex);
    caller_sleeps = true;
    done.wait(lock, [&] { return working.load(std::memory_order_acquire) == 0; });
    caller_sleeps = false;
  }
};

Pool::Pool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1)
    throw std::invalid_argument("Pool: threads must be at least 1, not " + std::to_string(threads));
  state_->threads = threads;
  for (int worker = 1; worker < threads; ++worker)
    state_->workers.emplace_back([state = state_.get(), worker] { state->serve(worker); });
}

Pool::~Pool() {
  state_->stop.store(true, std::memory_order_relaxed);
  state_->publish();
  for (std::thread& worker : state_->workers) worker.join();
}

int Pool::threads() const {
  return state_->threads;
}

void Pool::run(int64_t n, int64_t grain, const Body& body) {
  State& s = *state_;
  if (inside_loop)
    throw std::logic_error("Pool::run: called from inside a loop's body; nest the work instead");
  if (grain < 1) throw std::invalid_argument("Pool::run: grain must be at least 1");
  if (n <= 0) return;
  if (s.threads == 1 || n <= grain) {
    InsideLoop inside;
    body({0, n}, 0);
    return;
  }
  // About eight ranges per thread: small enough to even out, large enough to be worth handing out.
  const int64_t grains = (n + grain - 1) / grain;
  s.step = std::max<int64_t>(1, grains / (8 * s.threads)) * grain;
  s.n = n;
  s.body = &body;
  s.failure = nullptr;
  s.next.store(0, std::memory_order_relaxed);
  s.working.store(s.threads - 1, std::memory_order_relaxed);
  s.publish();
  s.work(0);
  s.wait();
  if (s.failure) std::rethrow_exception(s.failure);
}

int default_threads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace kogrpo
