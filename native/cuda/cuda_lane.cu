// Jobs in a stream of the highest priority, so that what ranks wait for is not kept waiting behind
// the products of the next layer. The host queues a job where it is posted: its stream first waits
// for an event behind what the operations' stream holds; an event behind the job is what wait()
// lets the operations' stream wait for. Nothing here waits for the device but finish(), upload()
// and download().

#include <array>
#include <mutex>

#include "cuda/cuda_lane.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/graph.h"

namespace kogrpo::cuda {
namespace {

constexpr int kThreads = 256;

// sum[i] += parts[0][i], then += parts[1][i], …: one chain an element, in the order of rows. Reads
// each part once; N elements a thread.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    add_parts_kernel(float* sum, const T* parts, int64_t stride, int rows, int64_t n) {
  const int64_t i = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= n) return;
  Vec<float, N> s = load<N>(sum + i);
  for (int r = 0; r < rows; ++r) {
    const Vec<T, N> p = load<N>(parts + r * stride + i);
#pragma unroll
    for (int k = 0; k < N; ++k) s.v[k] = s.v[k] + to_float(p.v[k]);
  }
  store(sum + i, s);
}

class CudaLane final : public Lane {
 public:
  CudaLane(Device& device, int index, cudaStream_t stream)
      : device_(device), index_(index), operations_(stream) {}

  Device& device() override { return device_; }
  uint64_t posted() const override { return posted_; }

  uint64_t post(Job job) override {
    before_.record(operations_);
    before_.hold(stream_);
    job();
    ++posted_;
    done_[posted_ % done_.size()].record(stream_);
    return posted_;
  }
  // An event that a later job has taken over comes later: what waits for it waits long enough.
  void wait(uint64_t job) override {
    if (job > 0) done_[job % done_.size()].hold(operations_);
  }
  void finish() override { stream_.synchronize(); }

  void copy(void* to, const void* from, size_t bytes) override {
    if (to != from) move(to, from, bytes, cudaMemcpyDeviceToDevice);
  }
  void add(float* sum, const Tensor& parts) override {
    with_type("add", parts.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      constexpr int kPer = 4;
      const int64_t n = parts.cols;
      const auto* from = static_cast<const T*>(parts.data);
      const bool wide = n % kPer == 0 && parts.stride % kPer == 0 &&
                        reinterpret_cast<uintptr_t>(sum) % 16 == 0 &&
                        reinterpret_cast<uintptr_t>(from) % 16 == 0;
      const int64_t blocks = divide_up(n, int64_t(kThreads) * (wide ? kPer : 1));
      launch(stream_, "add", {dim3(unsigned(blocks)), dim3(kThreads)},
             wide ? add_parts_kernel<T, kPer> : add_parts_kernel<T, 1>, sum, from, parts.stride,
             int(parts.rows), n);
    });
  }
  void upload(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice);
    finish();
  }
  void download(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToHost);
    finish();
  }

  void* stream() const override { return static_cast<cudaStream_t>(stream_); }
  uint64_t mark() override {
    const std::lock_guard lock(marks_mutex_);
    ++marked_;
    marks_[marked_ % marks_.size()].record(stream_);
    return marked_;
  }
  bool reached(uint64_t mark) override {
    const std::lock_guard lock(marks_mutex_);
    return marks_[mark % marks_.size()].reached();
  }
  void bind_thread() override { KOGRPO_CUDA(cudaSetDevice(index_)); }

 private:
  void move(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes > 0) KOGRPO_CUDA(cudaMemcpyAsync(to, from, bytes, kind, stream_));
  }

  Device& device_;
  int index_;
  cudaStream_t operations_;
  Stream stream_{Stream::Priority::high};
  Event before_;
  std::array<Event, 64> done_, marks_;
  uint64_t posted_ = 0, marked_ = 0;
  std::mutex marks_mutex_;
};

}  // namespace

std::unique_ptr<Lane> make_cuda_lane(Device& device, int index, cudaStream_t stream) {
  return std::make_unique<CudaLane>(device, index, stream);
}

}  // namespace kogrpo::cuda
