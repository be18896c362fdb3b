// The alternative to native/cuda/status.cu and cuda_device.cu in builds without CUDA.

#include "cuda/status.h"
#include "ops/device.h"

namespace kogrpo {

CudaStatus cuda_status() {
  CudaStatus status;
  status.problem =
      "this build has no CUDA code: with CUDA 12.8 or later installed (nvcc), npm run build:cuda "
      "makes one that has";
  return status;
}

std::unique_ptr<Device> make_cuda_device(const CudaOptions&, int) {
  throw DeviceError(cuda_status().problem);
}

}  // namespace kogrpo
