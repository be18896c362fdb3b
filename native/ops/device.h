#pragma once
// Where a model lives: a device's memory, copies between it and the host's, and its table of
// operations. The engine above knows nothing else of the hardware. What an operation or copy reads
// must stay as it is until a call that waits (download); host memory given to upload may change as
// soon as the call has returned. One thread uses a device at a time.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "ops/lane.h"
#include "ops/ops.h"
#include "ops/step_queue.h"

namespace kogrpo {

// A device that is missing or a call of it that failed; the message names what and the remedy.
struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// No room on the device for an allocation.
struct DeviceMemoryError : DeviceError {
  using DeviceError::DeviceError;
  DeviceMemoryError(size_t wanted, size_t free, size_t total)
      : DeviceError("out of device memory: " + std::to_string(wanted >> 20) + " MiB wanted, " +
                    std::to_string(free >> 20) + " of " + std::to_string(total >> 20) +
                    " MiB free") {}
};

struct DeviceMemory {
  int64_t free = 0, total = 0;  // bytes
};

class Device {
 public:
  virtual ~Device() = default;

  virtual Ops& ops() = 0;
  virtual std::string name() const = 0;  // "cuda:0 (NVIDIA H200)"
  // Element type of weights, gradients and activations of a model whose products are of
  // `precision`.
  virtual DType storage(Precision precision) const = 0;
  // Element type of what nothing but products with weights of `precision` reads, where other
  // activations are of type `stored` (ops.h).
  virtual DType operands(DType stored, Precision) const { return stored; }
  // Free and total memory; absent (zeros) where tensors lie in the host's memory.
  virtual DeviceMemory memory() const { return {}; }
  // Bytes that the operations keep for themselves besides tensors.
  virtual int64_t workspace() const { return 0; }

  // Makes the device current for the calling thread, as it is for the one that opened it.
  virtual void bind_thread() const {}

  // Uninitialised, on 64 bytes at least. Throws DeviceMemoryError or std::bad_alloc.
  virtual void* allocate(size_t bytes) = 0;
  virtual void deallocate(void* p) noexcept = 0;
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;  // waits
  virtual void copy(void* to, const void* from, size_t bytes) = 0;      // within the device
  virtual void zero(void* to, size_t bytes) = 0;

  // A queue of steps that the host does not wait for, of which there may be several; null where
  // every step is the host's own work. The device must outlive it.
  virtual std::unique_ptr<StepQueue> step_queue() { return nullptr; }

  // Host work on [0, n) in disjoint ranges that start at multiples of `grain`, on several threads.
  virtual void host_parallel(int64_t n, int64_t grain,
                             const std::function<void(int64_t begin, int64_t end)>& body) = 0;

  // For jobs beside the operations (ops/lane.h); the device must outlive it. `beside` false: there
  // is nobody to wait for, so that a thread of its own would be in vain.
  virtual std::unique_ptr<Lane> make_lane(bool beside) = 0;
};

constexpr int kMostThreads = 1024;  // of the host

// `threads`: of the host, 0: every processor this process may use.
std::unique_ptr<Device> make_cpu_device(int threads);

struct CudaOptions {
  int device = 0;
  // Every product by our own kernel, attention without splitting: a row's bits depend on that row
  // alone, decoding included (ops.h, batch invariance). Slower.
  bool deterministic = false;
};
// cuda/cuda_device.cu; in builds without CUDA cuda/no_cuda.cpp. Throws DeviceError with what is
// missing and the remedy.
std::unique_ptr<Device> make_cuda_device(const CudaOptions& options, int threads);

// A device by its name in recipes: "cpu", "cuda" or "cuda:<index>". Throws std::invalid_argument
// for another name.
std::unique_ptr<Device> open_device(const std::string& name, bool deterministic, int threads);

}  // namespace kogrpo
