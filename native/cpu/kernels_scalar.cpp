// The kernels on plain lanes: the path for any processor, and the others' specification.
#include "cpu/kernels/table.inl"

namespace kogrpo {
const KernelTable& scalar_kernels() {
  return scalar::table();
}
}  // namespace kogrpo
