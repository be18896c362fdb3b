#pragma once
// What of CUDA this build and this machine have. status.cu where the build has CUDA, no_cuda.cpp
// where it has not; never throws.

#include <cstdint>
#include <string>
#include <vector>

namespace kogrpo {

struct CudaDevice {
  std::string name;
  int major = 0, minor = 0, multiprocessors = 0;
  int64_t memory = 0;  // bytes
};

struct CudaStatus {
  bool built = false;   // the build has CUDA code
  bool usable = false;  // there is a device it runs on, and a library for the products
  std::vector<CudaDevice> devices;
  std::string products;  // the library, "" where it was not looked for or not found
  std::string problem;   // what is missing and the remedy; "" when usable
};

CudaStatus cuda_status();

}  // namespace kogrpo
