#pragma once
// What the engine throws besides std::invalid_argument (a caller's mistake) and std::bad_alloc.

#include <atomic>
#include <stdexcept>
#include <string>

namespace kogrpo {

// A file that cannot be read or written; the message names path and cause.
struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Aborted : std::runtime_error {
  Aborted() : std::runtime_error("the operation was aborted") {}
  // On the ranks that took part in it; `whose` abort it was.
  explicit Aborted(const std::string& whose)
      : std::runtime_error("the operation was aborted by " + whose) {}
};

// Set from another thread; long operations look at it between layers and steps.
class AbortFlag {
 public:
  void set() { set_.store(true, std::memory_order_relaxed); }
  bool is_set() const { return set_.load(std::memory_order_relaxed); }
  void check() const {
    if (is_set()) throw Aborted();
  }

 private:
  std::atomic<bool> set_{false};
};

}  // namespace kogrpo
