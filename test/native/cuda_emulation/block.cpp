#include "cuda_emulation/block.h"

#include <sys/mman.h>

#include "cuda_emulation/device_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// ---- fibers: on x86-64 a dozen instructions (glibc's swapcontext makes two system calls each)

#if defined(__x86_64__)
extern "C" void kogrpo_switch_fiber(void** save, void* to);
asm(R"(
.text
.p2align 4
.globl kogrpo_switch_fiber
.type kogrpo_switch_fiber, @function
kogrpo_switch_fiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size kogrpo_switch_fiber, .-kogrpo_switch_fiber
)");
#endif

namespace kogrpo::emulation {
namespace {

constexpr size_t kStack = size_t{256} << 10;
constexpr int kLanes = 32;

enum class State { ready, at_barrier, at_collective, waiting, done };

struct Fiber {
  Thread thread;
  State state = State::done;
  void* operands = nullptr;  // of a collective operation, with
  Collective collective = nullptr;
  const void* run = nullptr;
  const char* awaited = nullptr;
  std::function<bool()> condition;
  char* stack = nullptr;
#if defined(__x86_64__)
  void* sp = nullptr;
#else
  ucontext_t context;
#endif
};

// A thread's stacks for fibers, kept from launch to launch: to map and to touch them anew costs
// more than most launches do.
class Stacks {
 public:
  Stacks() = default;
  ~Stacks() { release(); }
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

  char* reserve(size_t count) {
    if (count <= count_) return begin_;
    release();
    void* p = mmap(nullptr, count * kStack, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    begin_ = static_cast<char*>(p);
    count_ = count;
    return begin_;
  }
  // After an error that ended fibers in the middle of their functions.
  void abandon() {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(begin_, count_ * kStack);
#endif
  }

 private:
  void release() {
    if (!begin_) return;
    abandon();  // the next to get these addresses
    munmap(begin_, count_ * kStack);
    begin_ = nullptr;
    count_ = 0;
  }

  char* begin_ = nullptr;
  size_t count_ = 0;
};
thread_local Stacks stacks;

struct Scheduler {
  std::vector<Fiber> fibers;
  Block block;
  uint32_t random = 1;
  Fiber* running = nullptr;
  const std::function<void()>* kernel = nullptr;
  std::string error;
#if defined(__x86_64__)
  void* sp = nullptr;
#else
  ucontext_t context;
#endif
};
thread_local Scheduler* scheduler = nullptr;

void yield() {
  Fiber& self = *scheduler->running;
#if defined(__x86_64__)
  kogrpo_switch_fiber(&self.sp, scheduler->sp);
#else
  swapcontext(&self.context, &scheduler->context);
#endif
}

void fiber_main() {
  (*scheduler->kernel)();
  scheduler->running->state = State::done;
  for (;;) yield();
}

void start(Fiber& f) {
  f.state = State::ready;
  f.thread.copies.clear();
  f.thread.products.clear();
#if defined(__x86_64__)
  auto* top = reinterpret_cast<void**>(f.stack + kStack);
  *--top = nullptr;                               // keeps the stack aligned at entry
  *--top = reinterpret_cast<void*>(&fiber_main);  // return address
  for (int i = 0; i < 6; ++i) *--top = nullptr;   // callee-saved registers
  f.sp = top;
#else
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = f.stack;
  f.context.uc_stack.ss_size = kStack;
  f.context.uc_link = nullptr;
  makecontext(&f.context, fiber_main, 0);
#endif
}

void resume(Fiber& f) {
  scheduler->running = &f;
#if defined(__x86_64__)
  kogrpo_switch_fiber(&scheduler->sp, f.sp);
#else
  swapcontext(&scheduler->context, &f.context);
#endif
  scheduler->running = nullptr;
  if (!scheduler->error.empty()) throw std::runtime_error(scheduler->error);
}

std::string place(const Thread& t) {
  return "block (" + std::to_string(t.block.x) + ", " + std::to_string(t.block.y) + ", " +
         std::to_string(t.block.z) + "), thread " + std::to_string(t.thread.x);
}

// Runs a warp until every lane is done, at the barrier or waiting. Whether any lane went on.
bool run_warp(Fiber* lanes, int count, bool descending) {
  bool progress = false;
  for (;;) {
    for (int i = 0; i < count; ++i) {
      Fiber& f = lanes[descending ? count - 1 - i : i];
      if (f.state == State::waiting && f.condition()) f.state = State::ready;
      if (f.state != State::ready) continue;
      resume(f);
      progress = true;
    }
    int collective = 0, others = 0, waiting = 0, site = -1;
    for (int i = 0; i < count; ++i) {
      waiting += lanes[i].state == State::waiting;
      if (lanes[i].state != State::at_collective) {
        ++others;
        continue;
      }
      ++collective;
      if (site >= 0 && lanes[i].collective != lanes[site].collective)
        throw std::runtime_error("lanes of one warp wait at different operations: " +
                                 place(lanes[i].thread) + " and " + place(lanes[site].thread));
      site = i;
    }
    if (collective == 0 || waiting > 0) return progress;
    if (others > 0 || count != kLanes)
      throw std::runtime_error("a warp-wide operation is not reached by all lanes: " +
                               place(lanes[site].thread) + " waits in vain");
    void* operands[kLanes];
    for (int i = 0; i < kLanes; ++i) operands[i] = lanes[i].operands;
    lanes[0].collective(lanes[0].run, operands);
    for (int i = 0; i < kLanes; ++i) lanes[i].state = State::ready;
  }
}

void run_block(Scheduler& s, int threads, bool descending) {
  s.block.late = descending;
  s.block.transfers.clear();
  for (NamedBarrier& b : s.block.named) b = {};
  for (int i = 0; i < threads; ++i) start(s.fibers[size_t(i)]);
  const int warps = (threads + kLanes - 1) / kLanes;
  for (;;) {
    bool progress = false;
    for (int w = 0; w < warps; ++w) {
      const int warp = descending ? warps - 1 - w : w;
      progress |= run_warp(&s.fibers[size_t(warp * kLanes)],
                           std::min(kLanes, threads - warp * kLanes), descending);
    }
    if (progress) continue;
    if (!s.block.transfers.empty()) {  // any of them: a kernel may not rely on their order
      s.random = s.random * 1664525u + 1013904223u;
      auto& transfers = s.block.transfers;
      std::swap(transfers[(s.random >> 16) % transfers.size()], transfers.back());
      const auto transfer = std::move(transfers.back());
      transfers.pop_back();
      transfer();
      continue;
    }
    for (int i = 0; i < threads; ++i)
      if (const Fiber& f = s.fibers[size_t(i)]; f.state == State::waiting)
        throw std::runtime_error("deadlock: " + place(f.thread) + " waits for " + f.awaited);
    for (int i = 0; i < threads; ++i)
      if (const Fiber& f = s.fibers[size_t(i)];
          f.state == State::done && !f.thread.products.empty())
        throw std::runtime_error("a product was never waited for: " + place(f.thread));
    int waiting = 0;
    for (int i = 0; i < threads; ++i) waiting += s.fibers[size_t(i)].state == State::at_barrier;
    if (waiting == 0) return;
    for (int i = 0; i < threads; ++i) {
      if (s.fibers[size_t(i)].state == State::done)
        throw std::runtime_error("a barrier is not reached by all threads: " +
                                 place(s.fibers[size_t(i)].thread) + " has ended");
      s.fibers[size_t(i)].state = State::ready;
    }
  }
}

}  // namespace

Thread& current() {
  return scheduler->running->thread;
}

Block& block() {
  return scheduler->block;
}

void fail(const std::string& message) {
  scheduler->error = message + ": " + place(current());
  for (;;) yield();
}

void wait_block() {
  scheduler->running->state = State::at_barrier;
  yield();
}

void wait_until(const char* what, const std::function<bool()>& condition) {
  if (condition()) return;
  Fiber& f = *scheduler->running;
  f.awaited = what;
  f.condition = condition;
  f.state = State::waiting;
  yield();
}

void wait_warp(void* operands, Collective collective, const void* run) {
  Fiber& f = *scheduler->running;
  f.operands = operands;
  f.collective = collective;
  f.run = run;
  f.state = State::at_collective;
  yield();
}

void commit_copies() {
  for (PendingCopy& c : current().copies) ++c.group;
}

void finish_copies(int pending) {
  std::vector<PendingCopy>& copies = current().copies;
  size_t kept = 0;
  for (const PendingCopy& c : copies) {
    if (c.group <= pending) {  // group counts commits: 0 not committed, 1 the newest group, …
      copies[kept++] = c;
    } else if (c.global) {
      std::memcpy(c.shared, c.global, 16);
    } else {
      std::memset(c.shared, 0, 16);
    }
  }
  copies.resize(kept);
}

void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel) {
  if (block.y != 1 || block.z != 1 || block.x < 1 || block.x > 1024)
    throw std::runtime_error("blocks have one dimension of 1 to 1024 threads");
  if (shared_bytes > size_t{227} << 10)
    throw std::runtime_error("a block has at most 227 KiB of shared memory");
  const Access access;
  Scheduler s;
  s.kernel = &kernel;
  if (scheduler) throw std::runtime_error("a kernel launched a kernel");
  char* const first_stack = stacks.reserve(block.x);
  // On the heap and of the exact size, so that AddressSanitizer sees an access beyond it.
  void* memory = nullptr;
  if (posix_memalign(&memory, 128, std::max<size_t>(shared_bytes, 1)) != 0) throw std::bad_alloc();
  const std::unique_ptr<char, void (*)(void*)> shared(static_cast<char*>(memory), std::free);
  s.block.shared = shared.get();
  s.fibers.resize(block.x);
  for (unsigned i = 0; i < block.x; ++i) {
    s.fibers[i].stack = first_stack + kStack * i;
    s.fibers[i].thread.thread = dim3(i);
    s.fibers[i].thread.block_dim = block;
    s.fibers[i].thread.grid_dim = grid;
    s.fibers[i].thread.shared = shared.get();
  }
  scheduler = &s;
  struct End {
    bool whole = false;
    ~End() {
      scheduler = nullptr;
      if (!whole) stacks.abandon();
    }
  } end;
  unsigned count = 0;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        std::memset(shared.get(), 0xff, shared_bytes);
        for (Fiber& f : s.fibers) f.thread.block = dim3(x, y, z);
        run_block(s, int(block.x), count++ % 2 == 1);
      }
  end.whole = true;
}

}  // namespace kogrpo::emulation
