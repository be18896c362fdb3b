#pragma once
// What the engine throws besides std::invalid_argument (a caller's mistake) and std::bad_alloc.

#include <atomic>
#include <stdexcept>

namespace kogrpo {

// A file that cannot be read or written; the message names path and cause.
struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Aborted : std::runtime_error {
  Aborted() : std::runtime_error("the operation was aborted") {}
};

// Set from another thread; long operations look at it between layers and steps.
class AbortFlag {
 public:
  void set() { set_.store(true, std::memory_order_relaxed); }
  void check() const {
    if (set_.load(std::memory_order_relaxed)) throw Aborted();
  }

 private:
  std::atomic<bool> set_{false};
};

}  // namespace kogrpo
