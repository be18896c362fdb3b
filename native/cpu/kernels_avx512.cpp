// The kernels on AVX-512 (F, BW, VL, DQ).
#include "cpu/kernels/table.inl"

namespace kogrpo {
const KernelTable& avx512_kernels() {
  return avx512::table();
}
}  // namespace kogrpo
