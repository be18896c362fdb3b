#pragma once
// The CUDA runtime with errors as exceptions and owners as objects. Included by .cu files and by
// host code that lives with them; everything above sees cuda/cuda_ops.h only.

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "cuda/error.h"

namespace kogrpo::cuda {

// Throws CudaError naming the call. `what` holds the command's text.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that the next call does not report this one again
  throw CudaError(std::string(what) + ": " + cudaGetErrorName(status) + " (" +
                  cudaGetErrorString(status) + ")");
}
#define KOGRPO_CUDA(command) ::kogrpo::cuda::check((command), #command)

// Throws DeviceMemoryError.
inline void* allocate(size_t bytes) {
  void* p = nullptr;
  const cudaError_t status = cudaMalloc(&p, bytes > 0 ? bytes : 1);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw DeviceMemoryError(bytes, free, total);
  }
  check(status, "cudaMalloc");
  return p;
}

// Device memory: uninitialised, grows on demand (the contents are lost then) and is kept.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  explicit DeviceBuffer(size_t n) { reserve(n); }
  ~DeviceBuffer() { release(); }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  // At least n elements. cudaFree waits for work that still uses the old memory.
  T* reserve(size_t n) {
    if (n <= size_) return data_;
    release();
    data_ = static_cast<T*>(allocate(n * sizeof(T)));
    size_ = n;
    return data_;
  }
  void release() noexcept {
    if (data_) cudaFree(data_);
    data_ = nullptr;
    size_ = 0;
  }
  T* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

class Stream {
 public:
  enum class Priority { normal, high };
  explicit Stream(Priority priority = Priority::normal) {
    if (priority == Priority::normal) {
      KOGRPO_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
      return;
    }
    int least = 0, greatest = 0;
    KOGRPO_CUDA(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    KOGRPO_CUDA(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest));
  }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void synchronize() const { KOGRPO_CUDA(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

struct Launch {
  dim3 grid, block;
  size_t shared = 0;  // dynamic shared memory, bytes
};

#if defined(__CUDACC__)
// Launches and checks. More than 48 KiB of shared memory need the kernel's consent, asked for once
// per launch: it is a table look-up in the driver.
template <class... Parameters, class... Arguments>
void launch(cudaStream_t stream, const char* name, const Launch& l, void (*kernel)(Parameters...),
            Arguments... arguments) {
  if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0) return;
  if (l.shared > size_t{48} << 10)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(l.shared)),
          name);
  kernel<<<l.grid, l.block, l.shared, stream>>>(Parameters(arguments)...);
  check(cudaGetLastError(), name);
}
#elif defined(KOGRPO_EMULATION)
template <class... Parameters, class... Arguments>
void launch(cudaStream_t stream, const char* name, const Launch& l, void (*kernel)(Parameters...),
            Arguments... arguments) {
  if (l.grid.x == 0 || l.grid.y == 0 || l.grid.z == 0) return;
  if (!stream) emulation::count_kernel();
  emulation::on_stream(stream, [=] {
    try {
      emulation::run_grid(l.grid, l.block, l.shared, [&] { kernel(Parameters(arguments)...); });
    } catch (const std::runtime_error& e) {
      throw CudaError(std::string(name) + ": " + e.what());
    }
  });
}
#endif

}  // namespace kogrpo::cuda
