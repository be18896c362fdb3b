#pragma once
// Memory of a device for tensors: uninitialised, grows on demand (the contents are lost then) and
// is kept. The device must outlive it.

#include <utility>

#include "ops/device.h"

namespace kogrpo {

class Storage {
 public:
  Storage() = default;
  ~Storage() { release(); }
  Storage(Storage&& other) noexcept { swap(other); }
  Storage& operator=(Storage&& other) noexcept {
    swap(other);
    return *this;
  }

  // A matrix [rows, cols] at the memory's start.
  Tensor reserve(Device& device, DType type, int64_t rows, int64_t cols) {
    const size_t bytes = static_cast<size_t>(rows * cols) * size_of(type);
    if (bytes > bytes_) {
      release();
      data_ = device.allocate(bytes);
      device_ = &device;
      bytes_ = bytes;
    }
    return matrix(data_, type, rows, cols);
  }
  // The same of memory that reserve() has made.
  Tensor view(DType type, int64_t rows, int64_t cols) const {
    return matrix(data_, type, rows, cols);
  }
  void release() noexcept {
    if (data_) device_->deallocate(data_);
    data_ = nullptr;
    bytes_ = 0;
  }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }

 private:
  void swap(Storage& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  Device* device_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace kogrpo
