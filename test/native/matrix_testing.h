#pragma once
// Matrices whose rows are further apart than their length, with guards between the rows, and
// gradients held against central differences.

#include <functional>

#include "op_testing.h"

namespace kogrpo::testing {

class Matrix {
 public:
  // Values as given; the gaps between rows hold a guard value.
  Matrix(int64_t rows, int64_t cols, const std::vector<float>& values, int64_t gap = 3)
      : rows_(rows), cols_(cols), stride_(cols + gap), data_(size_t(rows * (cols + gap)), kGuard) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c)
        data_[size_t(r * stride_ + c)] = values[size_t(r * cols + c)];
  }
  static Matrix random(int64_t rows, int64_t cols, uint32_t seed, float scale = 1.0f) {
    return Matrix(rows, cols, random_floats(size_t(rows * cols), seed, scale));
  }
  static Matrix output(int64_t rows, int64_t cols) {
    return Matrix(rows, cols, poisoned(size_t(rows * cols)));
  }

  Tensor tensor() { return {data_.data(), DType::f32, rows_, cols_, stride_}; }
  // The values without the gaps; fails the test if a gap was written.
  std::vector<float> values() const {
    std::vector<float> out;
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < stride_; ++c)
        if (const float v = data_[size_t(r * stride_ + c)]; c < cols_)
          out.push_back(v);
        else
          CHECK_MESSAGE(v == kGuard, "the gap after row ", r, " was overwritten");
    return out;
  }

 private:
  static constexpr float kGuard = 12345.0f;
  int64_t rows_, cols_, stride_;
  std::vector<float> data_;
};

// Runs compute(ops) → outputs on the reference and on every CPU backend: the error of each output
// against the reference stays below the bound, and all backends agree to the bit.
inline void check_backends(const std::function<std::vector<std::vector<float>>(Ops&)>& compute,
                           double bound = 1e-11) {
  ReferenceOps reference;
  const auto expected = compute(reference);
  std::vector<std::vector<float>> first;
  for_each_cpu_backend([&](Ops& ops) {
    const auto actual = compute(ops);
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      CAPTURE(i);
      CHECK(nmse(actual[i], expected[i]) <= bound);
      if (!first.empty()) CHECK(same_bits(actual[i], first[i]));
    }
    if (first.empty()) first = actual;
  });
}

// ∂loss/∂x by central differences in double, against `gradient`.
inline void check_gradient(const std::function<double(const std::vector<double>&)>& loss,
                           const std::vector<float>& x, const std::vector<float>& gradient,
                           double tolerance = 2e-6) {
  REQUIRE(x.size() == gradient.size());
  std::vector<double> point(x.begin(), x.end());
  double largest = 0;
  for (float g : gradient) largest = std::max(largest, double(std::fabs(g)));
  REQUIRE(largest > 0);
  const double h = 1e-5;
  for (size_t i = 0; i < x.size(); ++i) {
    const double at = point[i];
    point[i] = at + h;
    const double up = loss(point);
    point[i] = at - h;
    const double down = loss(point);
    point[i] = at;
    CAPTURE(i);
    CHECK(std::fabs((up - down) / (2 * h) - gradient[i]) <= tolerance * largest);
  }
}

inline std::vector<float> slice(const std::vector<float>& v, int64_t begin, int64_t end) {
  return {v.begin() + begin, v.begin() + end};
}

}  // namespace kogrpo::testing
