#pragma once
// What a test of a device's operation needs: a tensor that exists twice, on the host for the
// reference and on the device, with the same values (rounded to the device's type), rows further
// apart than they are long, and outputs that start as NaN. The same tests run on the emulation
// (kogrpo_emulated_tests) and on a GPU (kogrpo_cuda_tests).

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "op_testing.h"
#include "ops/bf16.h"

namespace kogrpo::testing {

// The backend with its own product kernel unless a test asks for cuBLASLt.
inline CudaOps& cuda_ops(bool deterministic = true) {
  static CudaOps exact({.device = 0, .deterministic = true});
  static const auto fast = [] {
    const char* chosen = std::getenv("KOGRPO_CUBLASLT_LIB");
    const std::string before = chosen ? chosen : "";
    setenv("KOGRPO_CUBLASLT_LIB", "none", 1);
    auto ops = std::make_unique<CudaOps>(CudaOptions{.device = 0, .deterministic = false});
    if (chosen)
      setenv("KOGRPO_CUBLASLT_LIB", before.c_str(), 1);
    else
      unsetenv("KOGRPO_CUBLASLT_LIB");
    return ops;
  }();
  return deterministic ? exact : *fast;
}

class Twin {
 public:
  Twin(DType type, int64_t rows, int64_t cols, std::vector<float> values, int64_t gap = 8)
      : type_(type), rows_(rows), cols_(cols), stride_(cols + gap), host_(std::move(values)) {
    if (type_ == DType::bf16)
      for (float& v : host_) v = widen(round_to_bf16(v));
    device_.reserve(size_t(rows_ * stride_) * size_of(type_) + 256);
    put(host_);
  }
  static Twin random(DType type, int64_t rows, int64_t cols, uint32_t seed, float scale = 1,
                     int64_t gap = 8) {
    return Twin(type, rows, cols, random_floats(size_t(rows * cols), seed, scale), gap);
  }
  static Twin output(DType type, int64_t rows, int64_t cols, int64_t gap = 8) {
    return Twin(type, rows, cols, poisoned(size_t(rows * cols)), gap);
  }
  // A vector [1, n]; fp32 unless said otherwise.
  static Twin vector(int64_t n, uint32_t seed, DType type = DType::f32, float scale = 1) {
    return random(type, 1, n, seed, scale, 0);
  }
  static Twin vector_output(int64_t n) { return output(DType::f32, 1, n, 0); }

  Tensor host() { return {host_.data(), DType::f32, rows_, cols_, cols_, Precision::f32}; }
  Tensor device() { return {device_.data(), type_, rows_, cols_, stride_, Precision::f32}; }
  std::vector<float>& values() { return host_; }

  // What the device holds; fails the test if the space between rows was written.
  std::vector<float> download() {
    CudaOps& ops = cuda_ops();
    std::vector<unsigned char> bytes(size_t(rows_ * stride_) * size_of(type_));
    cuda_ops(false).synchronize();
    KOGRPO_CUDA(cudaMemcpyAsync(bytes.data(), device_.data(), bytes.size(), cudaMemcpyDeviceToHost,
                                ops.context().stream()));
    ops.synchronize();
    std::vector<float> out;
    bool gaps = true;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < stride_; ++c) {
        const float v = read(bytes, size_t(r * stride_ + c));
        if (c < cols_)
          out.push_back(v);
        else
          gaps = gaps && v == kGuard;
      }
    CHECK_MESSAGE(gaps, "the space between rows was written");
    return out;
  }
  // The device's values against the host's.
  double error() { return nmse(download(), host_); }
  // The device's memory again as it was at the start.
  void put(const std::vector<float>& values) {
    std::vector<unsigned char> bytes(size_t(rows_ * stride_) * size_of(type_));
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < stride_; ++c)
        write(bytes, size_t(r * stride_ + c), c < cols_ ? values[size_t(r * cols_ + c)] : kGuard);
    CudaOps& ops = cuda_ops();
    KOGRPO_CUDA(cudaMemcpyAsync(device_.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice,
                                ops.context().stream()));
    ops.synchronize();
  }

 private:
  static constexpr float kGuard = 12288.0f;
  float read(const std::vector<unsigned char>& bytes, size_t i) const {
    if (type_ == DType::bf16) {
      bf16 x;
      std::memcpy(&x, bytes.data() + 2 * i, 2);
      return widen(x);
    }
    float x;
    std::memcpy(&x, bytes.data() + 4 * i, 4);
    return x;
  }
  void write(std::vector<unsigned char>& bytes, size_t i, float v) const {
    if (type_ == DType::bf16) {
      const bf16 x = round_to_bf16(v);
      std::memcpy(bytes.data() + 2 * i, &x, 2);
    } else {
      std::memcpy(bytes.data() + 4 * i, &v, 4);
    }
  }

  DType type_;
  int64_t rows_, cols_, stride_;
  std::vector<float> host_;
  cuda::DeviceBuffer<unsigned char> device_;
};

// Bounds on the error against the reference: fp32 rounding of longish sums; bf16 rounding of the
// the result (2⁻⁹ relative, 1.3e-6 squared) or two.
inline double bound_of(DType type) {
  return type == DType::f32 ? 1e-11 : 6e-6;
}
inline const char* name_of(DType type) {
  return type == DType::f32 ? "fp32" : "bf16";
}

template <class Test>
void for_each_type(Test&& test) {
  for (const DType type : {DType::f32, DType::bf16}) {
    CAPTURE(name_of(type));
    test(type);
  }
}

}  // namespace kogrpo::testing
