#pragma once
// Tensor maps: what TMA knows of a matrix in device memory.

#include <cuda.h>

#include "ops/tensor.h"

namespace kogrpo::cuda {

// A map of a bf16 matrix whose boxes are `box_rows` rows of 64 columns with the 128-byte swizzle
// (half a tile of hopper.cuh). The matrix begins on 16 bytes, and so does every row.
// cuTensorMapEncodeTiled comes from the driver through the runtime: nothing links to libcuda.
CUtensorMap tensor_map(const Tensor& matrix, int box_rows);

}  // namespace kogrpo::cuda
