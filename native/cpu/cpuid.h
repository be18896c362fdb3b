#pragma once
// Which kernels this processor can run. Compiled without instruction-set flags.

#include <vector>

#include "cpu/kernels.h"

namespace kogrpo {

// The tables that run here, fastest first. The environment variable KOGRPO_CPU_ISA (a table's
// `isa`: scalar, neon, avx2, avx512, …) puts the named one first; naming one that cannot run throws
// std::runtime_error, which says which can.
std::vector<const KernelTable*> available_kernels();

}  // namespace kogrpo
