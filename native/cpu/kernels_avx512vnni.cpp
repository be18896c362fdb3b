// AVX-512 with AVX512_VNNI: the int8 product again, everything else from the AVX-512 table.
#include "cpu/kernels.h"
#include "cpu/kernels/partial.inl"
#include "cpu/simd.h"
// after its vocabulary
#include "cpu/kernels/int8.inl"

namespace kogrpo {
const KernelTable& avx512vnni_kernels() {
  static const KernelTable kTable = [] {
    KernelTable table = avx512_kernels();
    table.isa = "avx512vnni";
    table.int8_pack = avx512vnni::int8_pack;
    table.int8_rows = avx512vnni::int8_rows;
    table.int8_block = avx512vnni::int8_block;
    return table;
  }();
  return kTable;
}
}  // namespace kogrpo
