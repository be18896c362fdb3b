#pragma once
// A row's sampling parameters as the kernel reads them (sample.cu).

#include <cstdint>

#include "ops/ops.h"

namespace kogrpo::cuda {

struct SamplingRow {
  float temperature, top_p, min_p;
  int32_t top_k;  // 0: off
  uint32_t position;
  uint64_t seed, stream;
};

// Of checked parameters.
SamplingRow sampling_row(const SamplingParams& params);

}  // namespace kogrpo::cuda
