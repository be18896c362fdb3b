#include <dlfcn.h>

#include "cuda/blaslt.h"
#include "cuda/context.h"
#include "cuda/status.h"

namespace kogrpo {
namespace {

// Of a machine without the driver the runtime says only that its version is insufficient.
std::string driver_tried() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!driver) return std::string(" (tried the driver's ") + dlerror() + ")";
  dlclose(driver);
  return " (libcuda.so.1, the driver, is there)";
}

}  // namespace

CudaStatus cuda_status() {
  CudaStatus status;
  status.built = true;
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    cudaGetLastError();
    status.problem = std::string("no CUDA device: ") + cudaGetErrorString(error) + driver_tried() +
                     ". A GPU with NVIDIA's driver (580 or later for CUDA 13) is needed";
    return status;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
    status.devices.push_back(
        {p.name, p.major, p.minor, p.multiProcessorCount, static_cast<int64_t>(p.totalGlobalMem)});
  }
  try {
    cuda::Context context(0);
    const auto blas = cuda::BlasLt::load(context);
    status.products = blas ? blas->name() : "our own kernel (KOGRPO_CUBLASLT_LIB=none)";
    status.usable = true;
  } catch (const std::exception& e) {
    status.problem = e.what();
  }
  return status;
}

}  // namespace kogrpo
