#pragma once
// A weights file made from the tensors of others, without a model in memory: blocks of rows are
// read, multiplied by their factors or added to an adapter's product where there are any, and
// written in the dtype asked for. fp32 of a bf16 or f16 value is exact, so other tensors keep their
// values.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/errors.h"
#include "ops/tensor.h"

namespace kogrpo {

// scale · B[rows,rank] · A[rank,cols], to be added to a tensor (a LoRA adapter that is merged).
struct LowRank {
  struct Factor {
    std::string file;
    int64_t begin = 0;
    DType dtype = DType::f32;
  };
  Factor a, b;
  int64_t rank = 0;  // 0: nothing is added
  float scale = 0;
};

// Rows behind those of a tensor, [rows, cols]: row r is the mean of the tensor's rows that list
// of[r] has, ids[cu[list]] … ids[cu[list + 1] − 1]; 0 where of[r] is −1. `values` are rows as they
// are and go before, where there are any. The tensor has `height` rows in its file, of which the
// first `rows` are copied.
struct FurtherRows {
  std::vector<int32_t> ids, cu, of;
  std::vector<float> values;
  int64_t height = 0;
};

// [rows, cols] elements at `begin` of `file`; row r is multiplied by row_scale[r] (empty: 1).
struct TensorSource {
  std::string file;
  int64_t begin = 0;
  DType dtype = DType::f32;
  int64_t rows = 0, cols = 0;
  std::vector<float> row_scale;
  LowRank added = {};
  FurtherRows further = {};
};

// Writes `header` and behind it every source in order as `dtype`; on_tensor() after each. Throws
// IoError; a file that could not be completed is removed.
void rewrite_tensors(const std::string& path, std::span<const uint8_t> header,
                     std::span<const TensorSource> sources, DType dtype,
                     const std::function<void()>& on_tensor, const AbortFlag& abort);

}  // namespace kogrpo
