#include "cpu/cpu_ops.h"

namespace kogrpo {

CpuOps::CpuOps(const KernelTable& kernels, int threads)
    : kernels_(kernels), pool_(threads), scratch_(static_cast<size_t>(pool_.threads())) {}

CpuOps::~CpuOps() = default;

float* CpuOps::scratch(int worker, size_t floats) {
  auto& buffer = scratch_[static_cast<size_t>(worker)];
  if (buffer.size() < floats) buffer.resize(floats);
  return buffer.data();
}

}  // namespace kogrpo
