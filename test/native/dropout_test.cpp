// Dropout: the mask element by element, its share, its gradient, what it depends on.

#include <algorithm>

#include "matrix_testing.h"
#include "op_testing.h"
#include "ops/philox.h"

using namespace kogrpo;
using namespace kogrpo::testing;

namespace {

constexpr uint64_t kKey = 0x123456789abcdef0u;

// Half a unit in the last place of fp32: one rounding. A backend rounds 1/(1 - p) and the product
// k, the reference the quotient: each element within 3 units, the sum of squares within 9 units².
// Added to o, s = k + o: within ‖k‖ + 2‖s‖ units, where ‖k‖ < 2‖s‖ since k and o are independent.
constexpr double kUnit = 0x1p-24;

std::vector<uint64_t> identities(int64_t rows) {
  std::vector<uint64_t> all;
  for (int64_t r = 0; r < rows; ++r) all.push_back(0x9e3779b97f4a7c15u * uint64_t(r + 1));
  return all;
}

}  // namespace

TEST_CASE("dropout: every element as Philox's words say, kept ones over 1 - p, on every backend") {
  // Clang below 16 lets no lambda capture a structured binding.
  for (const auto& shape : {std::pair{3, 5}, std::pair{7, 64}, std::pair{5, 259}})
    for (const double p : {0.0, 0.1, 0.5, 0.9}) {
      const int rows = shape.first, cols = shape.second;
      const auto ids = identities(rows);
      for (const bool accumulate : {false, true})
        check_backends(
            [&](Ops& ops) {
              Matrix x = Matrix::random(rows, cols, 21), out = Matrix::random(rows, cols, 22);
              ops.dropout({x.tensor(), out.tensor(), ids.data(), 3, kKey, p, accumulate});
              return std::vector<std::vector<float>>{out.values()};
            },
            accumulate ? 16 * kUnit * kUnit : 10 * kUnit * kUnit);
      for_each_cpu_backend([&](Ops& ops) {
        Matrix x = Matrix::random(rows, cols, 21), out = Matrix::random(rows, cols, 22);
        ops.dropout({x.tensor(), out.tensor(), ids.data(), 3, kKey, p, false});
        int wrong = 0;
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < cols; ++c) {
            const uint64_t id = ids[size_t(r)];
            const auto word =
                philox(uint32_t(c / 4), 3, uint32_t(id), uint32_t(id >> 32), kKey)[size_t(c % 4)];
            const bool dropped = double(word >> 8) * 0x1p-24 < p;
            const float expected = dropped ? 0 : x.tensor().row(r)[c] * float(1 / (1 - p));
            if (out.tensor().row(r)[c] != expected) ++wrong;
          }
        CHECK(wrong == 0);
      });
    }
}

TEST_CASE("dropout leaves out a share p, independent between rows, columns, places and keys") {
  CpuOps ops(*available_kernels().front(), 1);
  constexpr int64_t kRows = 400, kCols = 512;
  const auto ids = identities(kRows);
  const std::vector<float> ones(size_t(kRows * kCols), 1.0f);
  const auto mask = [&](uint32_t place, uint64_t key) {
    std::vector<float> x = ones, out(ones.size());
    ops.dropout({matrix(x.data(), kRows, kCols), matrix(out.data(), kRows, kCols), ids.data(),
                 place, key, 0.3, false});
    return out;
  };
  const double n = double(ones.size());
  const auto share = [&](const std::vector<float>& m) {
    return double(std::count(m.begin(), m.end(), 0.0f)) / n;
  };
  const auto both = [&](const std::vector<float>& a, const std::vector<float>& b, size_t shift) {
    int64_t count = 0;
    for (size_t i = shift; i < a.size(); ++i) count += a[i] == 0 && b[i - shift] == 0;
    return double(count) / n;
  };
  const auto first = mask(3, kKey);
  // Four standard deviations of a share of 204,800 draws.
  CHECK(std::fabs(share(first) - 0.3) < 4 * std::sqrt(0.21 / n));
  CHECK(mask(3, kKey) == first);
  const double sigma = std::sqrt(0.09 * 0.91 / n);
  CHECK(std::fabs(both(first, mask(4, kKey), 0) - 0.09) < 4 * sigma);
  CHECK(std::fabs(both(first, mask(3, kKey + 1), 0) - 0.09) < 4 * sigma);
  CHECK(std::fabs(both(first, first, 1) - 0.09) < 5 * sigma);
  CHECK(std::fabs(both(first, first, kCols) - 0.09) < 5 * sigma);
  double sum = 0;
  for (const float x : first) sum += x;
  CHECK(std::fabs(sum / n - 1) < 4 * std::sqrt(0.3 / 0.7 / n));
}

TEST_CASE("a row's dropout is its own; its backward is the same mask; bad calls are refused") {
  for_each_cpu_backend([&](Ops& ops) {
    const auto ids = identities(6);
    Matrix x = Matrix::random(6, 70, 5);
    std::vector<float> whole(6 * 70), one(70);
    ops.dropout({x.tensor(), matrix(whole.data(), 6, 70), ids.data(), 9, kKey, 0.4, false});
    for (int64_t r = 0; r < 6; ++r) {
      ops.dropout({x.tensor().row_range(r, 1), matrix(one.data(), 1, 70), &ids[size_t(r)], 9, kKey,
                   0.4, false});
      CHECK(std::equal(one.begin(), one.end(), whole.begin() + r * 70));
    }
    // <dropout(x), y> = <x, dropout(y)>: linear with a diagonal matrix.
    Matrix y = Matrix::random(6, 70, 6);
    std::vector<float> back(6 * 70);
    ops.dropout({y.tensor(), matrix(back.data(), 6, 70), ids.data(), 9, kKey, 0.4, false});
    double left = 0, right = 0;
    for (int64_t r = 0; r < 6; ++r)
      for (int64_t c = 0; c < 70; ++c) {
        left += double(whole[size_t(r * 70 + c)]) * y.tensor().row(r)[c];
        right += double(back[size_t(r * 70 + c)]) * x.tensor().row(r)[c];
      }
    CHECK(left == doctest::Approx(right).epsilon(1e-6));
    for (const double p : {-0.1, 1.0, std::nan("")})
      CHECK_THROWS_AS(
          ops.dropout({x.tensor(), matrix(whole.data(), 6, 70), ids.data(), 9, kKey, p, false}),
          std::invalid_argument);
    CHECK_THROWS_AS(
        ops.dropout({x.tensor(), matrix(whole.data(), 5, 70), ids.data(), 9, kKey, 0.1, false}),
        std::invalid_argument);
  });
}
