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

// A warpgroup product between its issue and its wait (hopper.h).
struct PendingProduct {
  float* d;
  const uint32_t* a;  // null: by descriptor
  uint64_t a_descriptor, b_descriptor;
  int n;
  bool transpose_a, transpose_b, accumulate;
  int group;          // commits since
  int warp_rank = 0;  // of the warpgroup's four
};

// What the running thread sees of itself.
struct Thread {
  dim3 thread, block, block_dim, grid_dim;
  char* shared = nullptr;
  std::vector<PendingCopy> copies;
  std::vector<PendingProduct> products;
};
Thread& current();

// What the running block's threads share.
struct NamedBarrier {
  int arrived = 0, expected = 0;
  unsigned generation = 0;
};
struct Block {
  char* shared = nullptr;
  bool late = false;  // whether asynchronous work is done as late as possible, or at once
  std::vector<std::function<void()>> transfers;  // copies under way
  NamedBarrier named[16];
};
Block& block();

// Ends the launch with an error that names the place (kernel, block, thread).
[[noreturn]] void fail(const std::string& message);
inline void require(bool condition, const char* message) {
  if (!condition) fail(message);
}

void wait_block();
// Hands over until `condition` holds; `what` names it in an error if nothing can make it hold.
void wait_until(const char* what, const std::function<bool()>& condition);
using Collective = void (*)(const void* run, void* const* lanes);
// Hands over until all 32 lanes have called with the same `collective`, which then sees every
// lane's operands and the first lane's `run`. Both live until the call returns.
void wait_warp(void* operands, Collective collective, const void* run);

template <class Operands, class Run>
void warp_collective(Operands& operands, Run run) {
  // One per instantiation: identifies the operation.
  const Collective collective = [](const void* first, void* const* lanes) {
    Operands* typed[32];
    for (int l = 0; l < 32; ++l) typed[l] = static_cast<Operands*>(lanes[l]);
    (*static_cast<const Run*>(first))(typed);
  };
  wait_warp(&operands, collective, &run);
}

void commit_copies();
void finish_copies(int pending);

// Runs kernel() once per thread of the grid, block after block. Throws std::runtime_error on a
// divergent barrier or collective.
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel);

}  // namespace kogrpo::emulation
