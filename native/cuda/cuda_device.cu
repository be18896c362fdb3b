// A CUDA GPU as a device: memory by cudaMalloc, copies in the operations' stream.

#include "cpu/pool.h"
#include "cuda/context.h"
#include "cuda/cuda_lane.h"
#include "cuda/cuda_ops.h"
#include "cuda/status.h"
#include "cuda/step_queue.h"
#include "ops/device.h"

namespace kogrpo {
namespace cuda {
namespace {

class CudaDevice final : public Device {
 public:
  CudaDevice(const CudaOptions& options, int threads)
      : index_(options.device), ops_(options), pool_(threads > 0 ? threads : default_threads()) {}

  Ops& ops() override { return ops_; }
  std::string name() const override {
    return "cuda:" + std::to_string(index_) + " (" + ops_.context().properties.name + ")";
  }
  DType storage(Precision precision) const override {
    if (precision == Precision::int8)
      throw DeviceError("int8 weights are multiplied on the CPU only; bfloat16 is half of float32");
    return precision == Precision::bf16 ? DType::bf16 : DType::f32;
  }
  DeviceMemory memory() const override {
    size_t free = 0, total = 0;
    KOGRPO_CUDA(cudaMemGetInfo(&free, &total));
    return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
  }

  void bind_thread() const override { KOGRPO_CUDA(cudaSetDevice(index_)); }
  void* allocate(size_t bytes) override {
    ++ops_.context().memory_changes;
    return cuda::allocate(bytes);
  }
  void deallocate(void* p) noexcept override {
    ++ops_.context().memory_changes;
    cudaFree(p);
  }
  void upload(void* to, const void* from, size_t bytes) override {
    copy_as(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void download(void* to, const void* from, size_t bytes) override {
    copy_as(to, from, bytes, cudaMemcpyDeviceToHost);
    ops_.synchronize();
  }
  void copy(void* to, const void* from, size_t bytes) override {
    copy_as(to, from, bytes, cudaMemcpyDeviceToDevice);
  }
  void zero(void* to, size_t bytes) override {
    if (bytes > 0) KOGRPO_CUDA(cudaMemsetAsync(to, 0, bytes, ops_.context().stream()));
  }
  std::unique_ptr<StepQueue> step_queue() override {
    return std::make_unique<CudaStepQueue>(ops_.context());
  }
  void host_parallel(int64_t n, int64_t grain,
                     const std::function<void(int64_t, int64_t)>& body) override {
    pool_.run(n, grain, [&](Range range, int) { body(range.begin, range.end); });
  }
  std::unique_ptr<Lane> make_lane(bool) override {
    return make_cuda_lane(*this, index_, ops_.context().stream());
  }

 private:
  void copy_as(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (ops_.context().recording && kind != cudaMemcpyDeviceToDevice)
      throw std::logic_error("a copy from or to the host inside a step that is recorded");
    if (bytes > 0) KOGRPO_CUDA(cudaMemcpyAsync(to, from, bytes, kind, ops_.context().stream()));
  }

  int index_;
  mutable CudaOps ops_;
  Pool pool_;
};

}  // namespace
}  // namespace cuda

std::unique_ptr<Device> make_cuda_device(const CudaOptions& options, int threads) {
  // The whole status would open the first GPU, which may be another rank's.
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0)
    throw DeviceError(cuda_status().problem);
  return std::make_unique<cuda::CudaDevice>(options, threads);
}

}  // namespace kogrpo
