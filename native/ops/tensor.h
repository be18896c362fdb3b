#pragma once
// A tensor as the operations see it: a pointer, an element type and a shape; it owns nothing.
// Floating-point tensors lie in the memory of the backend's device (ops/device.h), index arrays in
// the host's.
// Rows are contiguous; `stride` is the distance between consecutive rows (elements), so a view may
// select columns of a wider matrix (the q part of a fused q/k/v projection, for example).

#include <cstddef>
#include <cstdint>

namespace kogrpo {

enum class DType : uint8_t { f32, bf16, f16, i32 };

constexpr size_t size_of(DType dtype) {
  return dtype == DType::f32 || dtype == DType::i32 ? 4 : 2;
}

// What a product takes a weight's values for. bf16: rounded to bfloat16 (to nearest, ties to even),
// and so is what they are multiplied with; sums are fp32. A chain takes k in pairs, the second of a
// pair first (of tokens, in the gradient of such a weight, the first), and denormals as zero, as
// VDPBF16PS does. An embedding's rows are rounded too. int8: rounded to 8-bit integers with one
// scale a row, and what they are multiplied with to 16-bit ones (cpu/int8.h); sums are exact. CPU
// only, and such weights have no gradient; an embedding's rows stay fp32.
enum class Precision : uint8_t { f32, bf16, int8 };

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::f32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;                    // elements from one row to the next; cols when contiguous
  Precision precision = Precision::f32;  // of weights and their gradients, in products and look-ups
  bool resident = false;                 // an index array in the memory of the device (ops.h)

  float* f32() const { return static_cast<float*>(data); }
  int32_t* i32() const { return static_cast<int32_t*>(data); }
  float* row(int64_t r) const { return f32() + r * stride; }
  int64_t size() const { return rows * cols; }
  bool contiguous() const { return stride == cols; }

  // View of columns [begin, begin + count).
  Tensor columns(int64_t begin, int64_t count) const {
    return {element(begin), dtype, rows, count, stride, precision, resident};
  }
  // View of rows [begin, begin + count).
  Tensor row_range(int64_t begin, int64_t count) const {
    return {element(begin * stride), dtype, count, cols, stride, precision, resident};
  }

  // The address of the element that lies `offset` elements behind the first.
  void* element(int64_t offset) const {
    return static_cast<char*>(data) + offset * static_cast<int64_t>(size_of(dtype));
  }
};

inline Tensor matrix(void* data, DType dtype, int64_t rows, int64_t cols) {
  return {data, dtype, rows, cols, cols, Precision::f32};
}

inline Tensor matrix(float* data, int64_t rows, int64_t cols) {
  return {data, DType::f32, rows, cols, cols, Precision::f32};
}
inline Tensor vector(float* data, int64_t n) {
  return {data, DType::f32, 1, n, n, Precision::f32};
}
inline Tensor ints(int32_t* data, int64_t n) {
  return {data, DType::i32, 1, n, n, Precision::f32};
}

}  // namespace kogrpo
