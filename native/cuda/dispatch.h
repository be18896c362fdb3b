#pragma once
// From element types at run time to kernels at compile time, and the checks that go with it.

#include <cstdint>
#include <initializer_list>
#include <string>

#include "cuda/context.h"
#include "ops/bf16.h"
#include "ops/check.h"
#include "ops/tensor.h"

namespace kogrpo::cuda {

template <class T>
struct Type {
  using type = T;
};

// Calls f(Type<float>()) or f(Type<bf16>()).
template <class F>
void with_type(const char* op, DType dtype, F&& f) {
  if (dtype == DType::f32)
    f(Type<float>());
  else if (dtype == DType::bf16)
    f(Type<bf16>());
  else
    check::fail(op, "tensors must be fp32 or bf16");
}

template <class T>
T* data(const Tensor& t) {
  return static_cast<T*>(t.data);
}

// Whether every row of every tensor starts on 16 bytes and `cols` is a whole number of 16 bytes.
inline bool wide(int64_t cols, std::initializer_list<Tensor> tensors) {
  for (const Tensor& t : tensors) {
    const auto size = static_cast<int64_t>(size_of(t.dtype));
    if (cols * size % 16 != 0 || t.stride * size % 16 != 0 ||
        reinterpret_cast<uintptr_t>(t.data) % 16 != 0)
      return false;
  }
  return true;
}

// Index array `t`, each element checked to be in [low, high), on the device; a resident one is
// there, and was made there.
inline const int32_t* indices_on_device(Context& context, const char* op, const char* name,
                                        const Tensor& t, int64_t low, int64_t high) {
  if (t.resident) return t.i32();
  check::indices(op, name, t, low, high);
  return context.upload(t.i32(), static_cast<size_t>(t.cols));
}

inline int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace kogrpo::cuda
