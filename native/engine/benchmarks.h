#pragma once
// Timed runs of single operations on random data, for `kogrpo bench`. Between the runs the register
// peak of one core is measured, so that a share of peak compares moments of the same machine state.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/config.h"
#include "engine/errors.h"
#include "ops/device.h"

namespace kogrpo {

struct BenchmarkOptions {
  // peak; bandwidth (reading n floats, all threads); gemm_forward, gemm_packed, gemm_dx, gemm_dw,
  // gemm_bf16_forward, gemm_bf16_packed, gemm_bf16_dx, gemm_bf16_dw, gemm_int8_packed;
  // attention_forward, attention_backward, attention_decode, attention_bf16_forward, …;
  // lm_head_forward, lm_head_train.
  std::string kind;
  int64_t m = 0, n = 0, k = 0;    // gemm_*: y[m,n] = x[m,k] w[n,k]ᵀ, dx and dw of the same layer
  int64_t batch = 0, seq = 0;     // the others: sequences and tokens of each (decode: of context)
  int64_t runs = 5, warm_up = 1;  // timed runs, each of at least kRunSeconds
  uint64_t seed = 0;
};

struct BenchmarkTimes {
  std::vector<double> seconds;     // of one operation, per run
  std::vector<double> peak_flops;  // operations per second of one core's registers, before each run
};

// Heads, hidden size and vocabulary are those of `config`. Throws std::invalid_argument for an
// unknown kind, a size below 1, or a device other than the CPU.
BenchmarkTimes run_benchmark(Device& device, const ModelConfig& config,
                             const BenchmarkOptions& options, const AbortFlag& abort);

}  // namespace kogrpo
