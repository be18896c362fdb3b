#pragma once
// The operations' stream, which is the null pointer; each thread of the host has its own. What it
// is given runs at once; or, `deferred`, as late as the host lets it, when it waits; or is recorded
// into a graph, with its arguments as they are. In a capture whatever waits, allocates or copies
// pageable memory is an error, and the capture is lost, as in CUDA.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace kogrpo::emulation {

// What the thread has asked of its stream.
struct Counters {
  int64_t kernels = 0;   // launched one by one; those of a graph are not counted
  int64_t graphs = 0;    // launched
  int64_t captures = 0;  // ended well
  int64_t copies = 0;    // outside graphs
  int64_t stream_waits = 0, event_waits = 0;
};
Counters& counters();

// From now on; what is queued still runs at the next wait.
void defer(bool deferred);

void on_operations(std::function<void()> work);
void count_kernel();
void count_copy();
// Runs what is queued; and lets what was copied to the host arrive.
void run_operations();
void finish_operations();
// Of calls that wait: whether a capture is under way (which is lost then).
bool forbidden_in_capture();

void copy_from_operations(void* to, const void* from, size_t bytes);
bool is_page_locked(const void* p);

// A place in the stream.
struct Mark {
  uint64_t work = 0;                                                    // to be done
  std::shared_ptr<uint64_t> downloads = std::make_shared<uint64_t>(0);  // to have arrived
};
void set_mark(Mark& mark);
void wait_for_mark(const Mark& mark);

}  // namespace kogrpo::emulation
