#pragma once
// Errors of the CUDA backend.

#include "ops/device.h"

namespace kogrpo {

// A call of the driver, the runtime or a library that failed; the message names the call.
class CudaError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

}  // namespace kogrpo
