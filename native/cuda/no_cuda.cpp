// The alternative to native/cuda/status.cu in builds without CUDA.

#include "cuda/status.h"

namespace kogrpo {

CudaStatus cuda_status() {
  CudaStatus status;
  status.problem =
      "this build has no CUDA code: with CUDA 12.8 or later installed (nvcc), npm run build:cuda "
      "makes one that has";
  return status;
}

}  // namespace kogrpo
