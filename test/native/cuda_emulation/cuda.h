#pragma once
// The part of the CUDA driver's header that native/cuda uses, on a CPU: tensor maps, with the
// conditions that the driver's documentation of cuTensorMapEncodeTiled names.

#include <cstdint>

using cuuint32_t = uint32_t;
using cuuint64_t = uint64_t;
enum CUresult { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1 };
enum CUtensorMapDataType { CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 = 9 };
enum CUtensorMapInterleave { CU_TENSOR_MAP_INTERLEAVE_NONE };
enum CUtensorMapSwizzle { CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_128B = 3 };
enum CUtensorMapL2promotion { CU_TENSOR_MAP_L2_PROMOTION_L2_256B = 3 };
enum CUtensorMapFloatOOBfill { CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE };

struct alignas(128) CUtensorMap {
  const char* data;
  uint64_t size[2], stride;  // elements; bytes between rows
  uint32_t box[2];
};

inline CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType, cuuint32_t rank,
                                       void* data, const cuuint64_t* size, const cuuint64_t* stride,
                                       const cuuint32_t* box, const cuuint32_t* step,
                                       CUtensorMapInterleave, CUtensorMapSwizzle swizzle,
                                       CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  bool valid = rank == 2 && reinterpret_cast<uintptr_t>(data) % 16 == 0;
  for (int i = 0; i < 2; ++i)
    valid = valid && size[i] > 0 && size[i] <= uint64_t{1} << 32 && box[i] > 0 && box[i] <= 256 &&
            step[i] == 1;
  valid = valid && stride[0] % 16 == 0 && stride[0] < uint64_t{1} << 40 &&
          stride[0] >= size[0] * 2 && box[0] * 2 % 16 == 0 &&
          swizzle == CU_TENSOR_MAP_SWIZZLE_128B && box[0] * 2 <= 128;
  if (!valid) return CUDA_ERROR_INVALID_VALUE;
  *map = {static_cast<const char*>(data), {size[0], size[1]}, stride[0], {box[0], box[1]}};
  return CUDA_SUCCESS;
}
