#pragma once
// Work that is queued more than once, or that the host looks at later: events, page-locked host
// memory (copies from and to it do not wait), and graphs recorded from a stream.

#include <functional>
#include <optional>

#include "cuda/runtime.h"

namespace kogrpo::cuda {

class Event {
 public:
  Event() { KOGRPO_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { KOGRPO_CUDA(cudaEventRecord(event_, stream)); }
  // What was queued before record(): the host waits for it; the stream's later work does; whether
  // it is done.
  void wait() const { KOGRPO_CUDA(cudaEventSynchronize(event_)); }
  void hold(cudaStream_t stream) const { KOGRPO_CUDA(cudaStreamWaitEvent(stream, event_, 0)); }
  bool reached() const {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) {
      cudaGetLastError();
      return false;
    }
    check(status, "cudaEventQuery");
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// Page-locked: uninitialised, grows on demand (the contents are lost then) and is kept.
template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  ~PinnedBuffer() { release(); }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  T* reserve(size_t n) {
    if (n <= size_) return data_;
    release();
    void* p = nullptr;
    KOGRPO_CUDA(cudaMallocHost(&p, n * sizeof(T)));
    data_ = static_cast<T*>(p);
    size_ = n;
    return data_;
  }
  T* data() const { return data_; }

 private:
  void release() noexcept {
    if (data_) cudaFreeHost(data_);
    data_ = nullptr;
    size_ = 0;
  }
  T* data_ = nullptr;
  size_t size_ = 0;
};

// What `queue` queues on the stream, recorded instead of being run.
class Graph {
 public:
  Graph(cudaStream_t stream, const std::function<void()>& queue) {
    // Relaxed would let a call through that waits for the device, or allocates.
    KOGRPO_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    struct Capture {
      cudaStream_t stream;
      cudaGraph_t graph = nullptr;
      bool ended = false;
      ~Capture() {
        if (!ended) cudaStreamEndCapture(stream, &graph);
        if (graph) cudaGraphDestroy(graph);
        if (!ended) cudaGetLastError();
      }
    } capture{stream};
    queue();
    capture.ended = true;
    KOGRPO_CUDA(cudaStreamEndCapture(stream, &capture.graph));
    KOGRPO_CUDA(cudaGraphInstantiate(&executable_, capture.graph, 0));
  }
  ~Graph() { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(cudaStream_t stream) const { KOGRPO_CUDA(cudaGraphLaunch(executable_, stream)); }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace kogrpo::cuda
