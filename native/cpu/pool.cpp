// Fork and join over persistent threads (cpu/pool.h).

#include "cpu/pool.h"

#if defined(__linux__)
#include <sched.h>
#endif

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

// A few tens of microseconds: the pauses between the operations of a step, not those between steps.
constexpr int kSpins = 1500;

// Pool::State::ticket: the loop's number, whether it can still be joined, how many workers are in.
constexpr uint64_t kWorkers = 0xFFFF, kOpen = 0x10000, kOneLoop = 0x20000;

}  // namespace

// A loop is published in one word, `ticket`. Workers join it by adding themselves there, while it
// is open, and take ranges off `next`. When the caller finds no ranges left it closes the loop and
// waits for those who joined, not for the others: a worker that the system has not scheduled yet
// delays nobody. Whoever waits spins first and then sleeps; sleepers announce themselves before
// they look at the word for the last time, and the other side changes the word before it looks for
// sleepers (both sequentially consistent), so no wake-up is lost.
struct Pool::State {
  int threads = 1;
  std::vector<std::thread> workers;

  // The present loop; readable by those who joined it.
  const Body* body = nullptr;
  int64_t n = 0, step = 1;

  alignas(64) std::atomic<uint64_t> ticket{0};
  alignas(64) std::atomic<int64_t> next{0};
  alignas(64) std::atomic<int> sleeping{0};
  std::atomic<bool> caller_sleeps{false};
  std::atomic<bool> stop{false};

  std::mutex mutex;
  std::condition_variable start, done;
  std::exception_ptr failure;  // the loop's first exception

  ~State() {
    stop.store(true);
    wake();
    for (std::thread& worker : workers) worker.join();
  }

  void work(int worker) {
    const InsideLoop inside;
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

  // Whether there is something to do for a worker whose last loop was number `seen`.
  bool ready(uint64_t seen) const {
    const uint64_t now = ticket.load();
    return stop.load() || ((now & kOpen) && now / kOneLoop != seen);
  }

  void serve(int worker) {
    uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins && !ready(seen); ++spin) pause();
      if (!ready(seen)) {
        std::unique_lock lock(mutex);
        sleeping.fetch_add(1);
        start.wait(lock, [&] { return ready(seen); });
        sleeping.fetch_sub(1);
      }
      if (stop.load()) return;

      uint64_t now = ticket.load();
      while ((now & kOpen) && !ticket.compare_exchange_weak(now, now + 1)) {
      }
      if (!(now & kOpen)) continue;  // closed in the meantime
      seen = now / kOneLoop;
      work(worker);
      const uint64_t left = ticket.fetch_sub(1) - 1;
      if (!(left & (kOpen | kWorkers)) && caller_sleeps.load()) {
        const std::lock_guard lock(mutex);
        done.notify_one();
      }
    }
  }

  void wake() {
    if (sleeping.load() == 0) return;
    { const std::lock_guard lock(mutex); }
    start.notify_all();
  }

  void open() {
    const uint64_t number = ticket.load(std::memory_order_relaxed) / kOneLoop + 1;
    ticket.store(number * kOneLoop | kOpen);
    wake();
  }

  void close() {
    const auto empty = [&] { return (ticket.load() & kWorkers) == 0; };
    ticket.fetch_and(~kOpen);
    for (int spin = 0; spin < kSpins && !empty(); ++spin) pause();
    if (empty()) return;
    std::unique_lock lock(mutex);
    caller_sleeps.store(true);
    done.wait(lock, empty);
    caller_sleeps.store(false);
  }
};

Pool::Pool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1 || threads > kMostThreads)
    throw std::invalid_argument("Pool: threads must be between 1 and " +
                                std::to_string(kMostThreads) + ", not " + std::to_string(threads));
  state_->threads = threads;
  for (int worker = 1; worker < threads; ++worker)
    state_->workers.emplace_back([state = state_.get(), worker] { state->serve(worker); });
}

Pool::~Pool() = default;

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
  s.open();
  s.work(0);
  s.close();
  if (s.failure) std::rethrow_exception(s.failure);
}

int default_threads() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return threads_for(CPU_COUNT(&set));
#endif
  return threads_for(static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace kogrpo
