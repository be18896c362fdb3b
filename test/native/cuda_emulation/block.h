#pragma once
// Runs the threads of an emulated block as fibers on the calling thread; see device.h.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

namespace kogrpo::emulation {

struct PendingCopy {
  void* shared;
  const void* global;  // null: zeros
  int group;           // commits since
};

// What the running thread sees of itself.
struct Thread {
  dim3 thread, block, block_dim, grid_dim;
  char* shared = nullptr;
  std::vector<PendingCopy> copies;
};
Thread& current();

// Ends the launch with an error that names the place (kernel, block, thread).
[[noreturn]] void fail(const std::string& message);
inline void require(bool condition, const char* message) {
  if (!condition) fail(message);
}

void wait_block();
using Collective = void (*)(void* const* lanes);
// Hands over until all 32 lanes have called with the same `run`, which then sees every lane's
// operands.
void wait_warp(void* operands, const void* site, const std::function<void(void* const*)>& run);

template <class Operands, class Run>
void warp_collective(Operands& operands, Run run) {
  static const char site = 0;  // one per instantiation: identifies the operation
  wait_warp(&operands, &site, [run](void* const* lanes) {
    Operands* typed[32];
    for (int l = 0; l < 32; ++l) typed[l] = static_cast<Operands*>(lanes[l]);
    run(typed);
  });
}

void commit_copies();
void finish_copies(int pending);

// Runs kernel() once per thread of the grid, block after block. Throws std::runtime_error on a
// divergent barrier or collective.
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

}  // namespace kogrpo::emulation
