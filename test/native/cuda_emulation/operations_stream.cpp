#include "cuda_emulation/operations_stream.h"

#include <cuda_runtime.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "cuda_emulation/device_memory.h"

using Work = std::function<void()>;

struct EmulatedGraph {
  std::vector<Work> work;
};

namespace kogrpo::emulation {
namespace {

// A copy to the host that no synchronisation has waited for yet.
struct Download {
  void* to;
  std::vector<unsigned char> bytes;
};

struct Operations {
  Counters counters;
  bool deferred = false;
  std::deque<Work> queued;
  uint64_t done = 0;  // of all work ever queued
  std::deque<Download> downloads;
  uint64_t arrived = 0;  // of all downloads
  std::unique_ptr<EmulatedGraph> capture;
  bool invalid = false;  // the capture

  void run(uint64_t until) {
    while (done < until && !queued.empty()) {
      const Work work = std::move(queued.front());
      queued.pop_front();
      ++done;
      work();
    }
  }
  void arrive(uint64_t until) {
    for (; arrived < until; ++arrived) {
      const Download& d = downloads.front();
      std::memcpy(d.to, d.bytes.data(), d.bytes.size());
      downloads.pop_front();
    }
  }
};

// Never destroyed: a static backend is freed at the end in an order that nobody chose.
struct All {
  std::mutex mutex;
  std::map<std::thread::id, Operations> of;
  std::map<const char*, size_t> page_locked;
};
All& all() {
  alignas(All) static std::byte place[sizeof(All)];
  static All* const instance = new (place) All;
  return *instance;
}
Operations& mine() {
  thread_local Operations* operations = nullptr;
  if (!operations) {
    const std::lock_guard lock(all().mutex);
    operations = &(all().of[std::this_thread::get_id()] = Operations());
  }
  return *operations;
}

}  // namespace

Counters& counters() {
  return mine().counters;
}
void defer(bool deferred) {
  mine().deferred = deferred;
}
void on_operations(Work work) {
  Operations& s = mine();
  if (s.capture) return s.capture->work.push_back(std::move(work));
  s.queued.push_back(std::move(work));
  if (!s.deferred) run_operations();
}
void count_kernel() {
  if (!mine().capture) ++mine().counters.kernels;
}
void count_copy() {
  if (!mine().capture) ++mine().counters.copies;
}
void run_operations() {
  mine().run(mine().done + mine().queued.size());
}
void finish_operations() {
  run_operations();
  mine().arrive(mine().arrived + mine().downloads.size());
}
bool forbidden_in_capture() {
  if (mine().capture) mine().invalid = true;
  return mine().capture != nullptr;
}
void copy_from_operations(void* to, const void* from, size_t bytes) {
  if (!mine().capture) std::memset(to, 0xff, bytes);
  on_operations([=] {
    const Access access;
    const auto* begin = static_cast<const unsigned char*>(from);
    mine().downloads.push_back({to, {begin, begin + bytes}});
  });
}
bool is_page_locked(const void* p) {
  const std::lock_guard lock(all().mutex);
  const char* c = static_cast<const char*>(p);
  auto after = all().page_locked.upper_bound(c);
  return after != all().page_locked.begin() && c < (--after)->first + after->second;
}
void set_mark(Mark& mark) {
  mark.work = mine().done + mine().queued.size() + 1;
  on_operations(
      [downloads = mark.downloads] { *downloads = mine().arrived + mine().downloads.size(); });
}
void wait_for_mark(const Mark& mark) {
  mine().run(mark.work);
  mine().arrive(*mark.downloads);
}

}  // namespace kogrpo::emulation

using namespace kogrpo::emulation;

// For the stand-in of cuBLASLt, which is a library of its own.
extern "C" __attribute__((visibility("default"))) void kogrpo_emulation_enqueue(const Work* work) {
  count_kernel();
  on_operations(*work);
}

cudaError_t cudaMallocHost(void** p, size_t bytes) {
  if (forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  *p = std::malloc(bytes);
  std::memset(*p, 0xff, bytes);
  const std::lock_guard lock(all().mutex);
  all().page_locked[static_cast<char*>(*p)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  finish_operations();
  const std::lock_guard lock(all().mutex);
  if (all().page_locked.erase(static_cast<char*>(p)) == 0) return cudaErrorInvalidValue;
  std::free(p);
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  if (mine().capture) return cudaErrorInvalidValue;
  mine().capture = std::make_unique<EmulatedGraph>();
  mine().invalid = false;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!mine().capture) return cudaErrorInvalidValue;
  std::unique_ptr<EmulatedGraph> ended = std::move(mine().capture);
  if (mine().invalid) return cudaErrorStreamCaptureInvalidated;
  ++counters().captures;
  *graph = ended.release();
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  if (forbidden_in_capture()) return cudaErrorStreamCaptureUnsupported;
  ++counters().graphs;
  on_operations([work = executable->work] {
    for (const Work& w : work) w();
  });
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
