#pragma once
// Checks of arguments, the same on every device. A wrong shape is the caller's mistake:
// std::invalid_argument naming the operation, the tensor and both shapes.

#include <stdexcept>
#include <string>

#include "ops/tensor.h"

namespace kogrpo::check {

inline std::string shape(int64_t rows, int64_t cols) {
  return std::string("[").append(std::to_string(rows)).append(", ").append(std::to_string(cols)) +
         "]";
}

[[noreturn]] inline void fail(const char* op, const std::string& message) {
  throw std::invalid_argument(std::string(op) + ": " + message);
}

inline void require(bool condition, const char* op, const std::string& message) {
  if (!condition) fail(op, message);
}

inline void matrix(const char* op, const char* name, const Tensor& t, int64_t rows, int64_t cols,
                   DType dtype = DType::f32) {
  if (t.rows != rows || t.cols != cols)
    fail(op, std::string(name) + " has shape " + shape(t.rows, t.cols) + ", expected " +
                 shape(rows, cols));
  if (t.dtype != dtype) fail(op, std::string(name) + " has the wrong element type");
  if (t.data == nullptr && t.size() > 0) fail(op, std::string(name) + " has no data");
  if (t.rows > 1 && t.stride < t.cols)
    fail(op, std::string(name) + " has overlapping rows (stride " + std::to_string(t.stride) +
                 " < " + std::to_string(t.cols) + " columns)");
}

inline void vector(const char* op, const char* name, const Tensor& t, int64_t n,
                   DType dtype = DType::f32) {
  matrix(op, name, t, 1, n, dtype);
}

// The type to check a tensor against that may be fp32 or bf16.
inline DType of_operands(const Tensor& t) {
  return t.dtype == DType::bf16 ? DType::bf16 : DType::f32;
}

// Every element of an index tensor lies in [low, high).
inline void indices(const char* op, const char* name, const Tensor& t, int64_t low, int64_t high) {
  for (int64_t i = 0; i < t.cols; ++i)
    if (t.i32()[i] < low || t.i32()[i] >= high)
      fail(op, std::string(name) + "[" + std::to_string(i) + "] = " + std::to_string(t.i32()[i]) +
                   ", must be in [" + std::to_string(low) + ", " + std::to_string(high) + ")");
}

}  // namespace kogrpo::check
