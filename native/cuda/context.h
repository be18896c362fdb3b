#pragma once
// What the operations of one CUDA backend share: a device, a stream, scratch memory, and device
// copies of the small index arrays (tokens, sequence starts, page tables) that the engine keeps on
// the host. An index array that was uploaded before with the same contents is not uploaded again:
// the same cu_seqlens serve every layer of a step.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "cuda/runtime.h"

namespace kogrpo::cuda {

class StepPlan;

class Context {
 public:
  explicit Context(int device) {
    int count = 0;
    KOGRPO_CUDA(cudaGetDeviceCount(&count));
    if (device < 0 || device >= count)
      throw CudaError("device " + std::to_string(device) + ": there are " + std::to_string(count));
    KOGRPO_CUDA(cudaSetDevice(device));
    KOGRPO_CUDA(cudaGetDeviceProperties(&properties, device));
    if (properties.major < 8)
      throw CudaError(std::string(properties.name) + " has compute capability " +
                      std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                      "; 8.0 (A100) or later is needed");
    stream_.emplace();
    for (Slot& s : slots_) s.device.reserve(kLeastSlot);
  }

  cudaStream_t stream() const { return *stream_; }
  void synchronize() const { stream_->synchronize(); }
  int multiprocessors() const { return properties.multiProcessorCount; }

  // Scratch of the operation that is being launched; the next operation may overwrite it (both are
  // in one stream). On 256 bytes.
  template <class T>
  T* scratch(size_t n) {
    return reinterpret_cast<T*>(reserve(scratch_, n * sizeof(T)));
  }
  template <class T>
  T* reserve(DeviceBuffer<T>& buffer, size_t n) {
    if (buffer.size() < n) ++memory_changes;
    return buffer.reserve(n);
  }

  // A device copy of n elements of host memory, valid until kSlots further uploads.
  template <class T>
  const T* upload(const T* host, size_t n) {
    if (recording) throw std::logic_error("Context::upload: inside a step that is recorded");
    const size_t bytes = n * sizeof(T);
    ++clock_;
    Slot* oldest = &slots_[0];
    for (Slot& s : slots_) {
      if (s.host.size() == bytes && bytes > 0 && std::memcmp(s.host.data(), host, bytes) == 0) {
        s.used = clock_;
        return reinterpret_cast<const T*>(s.device.data());
      }
      if (s.used < oldest->used) oldest = &s;
    }
    const auto* begin = reinterpret_cast<const unsigned char*>(host);
    oldest->host.assign(begin, begin + bytes);
    oldest->used = clock_;
    // In few sizes, since giving memory back waits for the device.
    unsigned char* device = oldest->device.reserve(std::bit_ceil(std::max(bytes, kLeastSlot)));
    // From pageable memory, which is staged before the call returns on a host whose memory the GPU
    // cannot read by itself; where it can (Grace), the slot's copy stays after the caller's has
    // gone.
    KOGRPO_CUDA(
        cudaMemcpyAsync(device, oldest->host.data(), bytes, cudaMemcpyHostToDevice, stream()));
    return reinterpret_cast<const T*>(device);
  }

  cudaDeviceProp properties;

  // Grows whenever memory that operations read or write has been allocated or given back.
  uint64_t memory_changes = 1;
  // The plan of the queue's step whose operations are being called (step_queue.h), or null; and
  // whether they are being recorded.
  StepPlan* step = nullptr;
  bool recording = false;
  std::optional<bool> hopper_code;  // attention_sm90.h

 private:
  static constexpr size_t kSlots = 24, kLeastSlot = size_t{64} << 10;
  struct Slot {
    std::vector<unsigned char> host;
    DeviceBuffer<unsigned char> device;
    uint64_t used = 0;
  };
  std::optional<Stream> stream_;  // made after the device is set
  DeviceBuffer<unsigned char> scratch_;
  std::array<Slot, kSlots> slots_;
  uint64_t clock_ = 0;
};

}  // namespace kogrpo::cuda
