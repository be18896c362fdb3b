#pragma once
// Errors of the CUDA backend.

#include <cstddef>
#include <stdexcept>
#include <string>

namespace kogrpo {

// A call of the driver, the runtime or a library that failed; the message names the call.
class CudaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The device has no room for an allocation. The engine adds the memory plan's largest entries.
class DeviceMemoryError : public CudaError {
 public:
  DeviceMemoryError(size_t wanted, size_t free, size_t total)
      : CudaError("out of device memory: " + std::to_string(wanted >> 20) + " MiB wanted, " +
                  std::to_string(free >> 20) + " of " + std::to_string(total >> 20) + " MiB free"),
        wanted(wanted) {}
  size_t wanted;
};

}  // namespace kogrpo
