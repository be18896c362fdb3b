#include "cuda/tensor_map.h"

#include <string>

#include "cuda/runtime.h"

namespace kogrpo::cuda {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode encode_function() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  KOGRPO_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                               cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess || !function)
    throw CudaError("the driver has no cuTensorMapEncodeTiled; it is older than CUDA 12.0");
  return reinterpret_cast<Encode>(function);
}

}  // namespace

CUtensorMap tensor_map(const Tensor& m, int box_rows) {
  static const Encode encode = encode_function();
  CUtensorMap map;
  const cuuint64_t size[] = {cuuint64_t(m.cols), cuuint64_t(m.rows)};
  const cuuint64_t stride[] = {cuuint64_t(m.stride) * 2};
  const cuuint32_t box[] = {64, cuuint32_t(box_rows)}, step[] = {1, 1};
  const CUresult status =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, m.data, size, stride, box, step,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    throw CudaError("cuTensorMapEncodeTiled refuses a matrix of " + std::to_string(m.rows) + " × " +
                    std::to_string(m.cols) + " with rows " + std::to_string(m.stride) +
                    " apart: error " + std::to_string(int(status)));
  return map;
}

}  // namespace kogrpo::cuda
