#pragma once
// What every operation's test needs: fresh random inputs, poisoned outputs, error norms, and the
// list of backends to hold against the reference.

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "cpu/cpu_ops.h"
#include "cpu/cpuid.h"
#include "reference/reference_ops.h"

namespace kogrpo::testing {

inline std::vector<float> random_floats(size_t n, uint32_t seed, float scale = 1.0f) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> values(n);
  for (float& v : values) v = normal(engine);
  return values;
}

// Outputs start as NaN, so that an element nobody wrote cannot pass for a result.
inline std::vector<float> poisoned(size_t n) {
  return std::vector<float>(n, std::numeric_limits<float>::quiet_NaN());
}

// Normalised mean squared error Σ(a−b)²/Σb²; NaN anywhere gives NaN, which fails every bound.
inline double nmse(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    error += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    norm += double(b[i]) * b[i];
  }
  return norm == 0 ? error : error / norm;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Calls test(ops) for the CPU backend with every table of kernels that runs here, with 1 and 3
// threads; those of the instruction set `but` left out.
template <class Test>
void for_each_table(Test&& test, std::string_view but = "") {
  for (const KernelTable* kernels : available_kernels())
    for (int threads : {1, 3}) {
      if (kernels->isa == but) continue;
      CpuOps ops(*kernels, threads);
      CAPTURE(kernels->isa);
      CAPTURE(threads);
      test(static_cast<Ops&>(ops));
    }
}

// Where avx512bf16 runs, avx512 is left out: all but the products, attention's among them, and
// what writes their operands are its functions; bf16_test.cpp, bf16_operands_test.cpp and
// attention_bf16_test.cpp hold those against each other, and avx512vnni has avx512's attention.
template <class Test>
void for_each_cpu_backend(Test&& test) {
  bool bf16 = false;
  for (const KernelTable* kernels : available_kernels())
    bf16 = bf16 || kernels->isa == std::string_view("avx512bf16");
  for_each_table(test, bf16 ? "avx512" : "");
}

}  // namespace kogrpo::testing
