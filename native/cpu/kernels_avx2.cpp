// The kernels on AVX2 + FMA.
#include "cpu/kernels/table.inl"

namespace kogrpo {
const KernelTable& avx2_kernels() {
  return avx2::table();
}
}  // namespace kogrpo
