// What is written in bfloat16 because only products of bfloat16 weights read it: each operation
// writes its fp32 result rounded as a product rounds its operands, and a product of such operands
// has the bits it has of the fp32 ones, on every instruction set and thread count.

#include <bit>

#include "ops/bf16.h"
#include "product_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

bf16 operand(float x) {
  return round_to_bf16(std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x);
}

// rows × cols in bfloat16, `gap` elements between rows that nobody may touch.
class Narrow {
 public:
  Narrow(int64_t rows, int64_t cols, int64_t gap = 0)
      : rows_(rows), cols_(cols), gap_(gap), bits_(size_t(rows * (cols + gap)), kPoison) {}
  Narrow(const std::vector<float>& values, int64_t rows, int64_t cols, int64_t gap)
      : Narrow(rows, cols, gap) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < cols; ++c) at(r, c) = operand(values[size_t(r * cols + c)]);
  }
  Tensor tensor() {
    Tensor t = matrix(bits_.data(), DType::bf16, rows_, cols_);
    t.stride = cols_ + gap_;
    return t;
  }
  // Whether it holds these values, and its gaps what they did.
  bool holds(const std::vector<float>& values) {
    bool same = int64_t(values.size()) == rows_ * cols_;
    for (int64_t r = 0; r < rows_ && same; ++r)
      for (int64_t c = 0; c < cols_ + gap_; ++c) {
        const bf16 expected = c < cols_ ? operand(values[size_t(r * cols_ + c)]) : kPoison;
        same = same && at(r, c).bits == expected.bits;
      }
    return same;
  }

 private:
  static constexpr bf16 kPoison{0x7FC1};
  bf16& at(int64_t r, int64_t c) { return bits_[size_t(r * (cols_ + gap_) + c)]; }

  int64_t rows_, cols_, gap_;
  std::vector<bf16> bits_;
};

TEST_CASE("bf16 operands: RMSNorm writes what its fp32 result is rounded to") {
  for (const int64_t n : {1, 15, 16, 37, 64, 200}) {
    auto x = random_floats(size_t(5 * n), 1), weight = random_floats(size_t(n), 2), rstd = x;
    for (int64_t c = 0; c < n; ++c) x[size_t(n + c)] = 0;  // a row of zeros
    x[0] = 1e-38f;                                         // denormal when it is scaled
    if (n > 2) weight[0] = 1e-3f, x[size_t(2 * n + 1)] = NAN;
    CAPTURE(n);
    for_each_table([&](Ops& ops) {
      std::vector<float> y = poisoned(x.size());
      Narrow narrow(5, n, 3);
      const auto run = [&](const Tensor& out) {
        ops.rmsnorm_forward(
            {matrix(x.data(), 5, n), vector(weight.data(), n), out, vector(rstd.data(), 5), 1e-6f});
      };
      run(matrix(y.data(), 5, n));
      run(narrow.tensor());
      CHECK(narrow.holds(y));
    });
  }
}

TEST_CASE("bf16 operands: SwiGLU, its gradient, and the forward again beside it") {
  for (const int64_t n : {1, 16, 45, 80}) {
    auto gate_up = random_floats(size_t(7 * 2 * n), 3, 4.0f), dy = random_floats(size_t(7 * n), 4);
    gate_up[0] = -100;  // e^−100: a denormal result
    CAPTURE(n);
    for_each_table([&](Ops& ops) {
      std::vector<float> y = poisoned(dy.size()), again = y, d = poisoned(gate_up.size()),
                         alone = d;
      const Tensor from = matrix(gate_up.data(), 7, 2 * n), gradient = matrix(dy.data(), 7, n);
      ops.swiglu_forward({from, matrix(y.data(), 7, n)});
      ops.swiglu_backward({gradient, from, matrix(alone.data(), 7, 2 * n)});
      ops.swiglu_backward({gradient, from, matrix(d.data(), 7, 2 * n), matrix(again.data(), 7, n)});
      CHECK(same_bits(d, alone));
      CHECK(same_bits(again, y));
      Narrow narrow_y(7, n, 2), narrow_d(7, 2 * n, 1), narrow_again(7, n), narrow_alone(7, 2 * n);
      ops.swiglu_forward({from, narrow_y.tensor()});
      ops.swiglu_backward({gradient, from, narrow_alone.tensor()});
      ops.swiglu_backward({gradient, from, narrow_d.tensor(), narrow_again.tensor()});
      CHECK(narrow_y.holds(y));
      CHECK(narrow_again.holds(y));
      CHECK(narrow_d.holds(d));
      CHECK(narrow_alone.holds(d));
    });
  }
}

TEST_CASE("bf16 operands: the logits' gradient lies over the logits") {
  const int64_t rows = 5;
  for (const int64_t vocab : {1, 17, 50, 131}) {
    const int64_t limit = vocab > 20 ? vocab - 3 : vocab;
    const auto logits = random_floats(size_t(rows * vocab), 5, 3.0f);
    auto coef = random_floats(size_t(rows), 6), coef_entropy = random_floats(size_t(rows), 7);
    coef[1] = coef_entropy[1] = 0;
    std::vector<int32_t> targets{0, 0, int32_t(limit - 1), -1, int32_t(limit / 2)};
    CAPTURE(vocab);
    for_each_table([&](Ops& ops) {
      const auto gradient = [&](std::vector<float>& z, DType type) {
        const Tensor t = matrix(z.data(), rows, vocab), at = ints(targets.data(), rows);
        std::vector<float> logprob(rows), entropy(rows), lse(rows);
        const Tensor h = vector(entropy.data(), rows), l = vector(lse.data(), rows);
        ops.logits_forward({t, at, vector(logprob.data(), rows), h, l, 0.7f, limit});
        return ops.logits_backward({t, at, h, l, vector(coef.data(), rows),
                                    vector(coef_entropy.data(), rows), 0.7f, limit, type});
      };
      std::vector<float> wide = logits, over = logits;
      CHECK(gradient(wide, DType::f32).data == wide.data());
      const Tensor narrow = gradient(over, DType::bf16);
      CHECK(narrow.data == over.data());
      CHECK(narrow.dtype == DType::bf16);
      CHECK(narrow.stride == 2 * vocab);
      size_t wrong = 0;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < vocab; ++v)
          wrong += static_cast<const bf16*>(narrow.element(r * narrow.stride + v))->bits !=
                   operand(wide[size_t(r * vocab + v)]).bits;
      CHECK(wrong == 0);
    });
  }
}

TEST_CASE("bf16 operands: a product has the bits it has of fp32 ones") {
  uint32_t seed = 100;
  for (const Sizes& s : {Sizes{1, 1, 1},
                         {1, 32, 64},
                         {2, 33, 31},
                         {5, 48, 96},
                         {14, 31, 33},
                         {15, 65, 770},
                         {29, 7, 1537},
                         {1541, 20, 17},
                         {40, 100, 3}})
    for (const int64_t gap : {0, 1, 16}) {
      Product p(Precision::bf16, s, seed += 10);
      p.x[0] = std::bit_cast<float>(0x007FFFFFu), p.y[0] = -0.0f;
      Narrow x(p.x, s.m, s.k, gap), dy(p.y, s.m, s.n, gap);
      const Tensor wide_x = matrix(p.x.data(), s.m, s.k), wide_dy = matrix(p.y.data(), s.m, s.n);
      CAPTURE(s.m);
      CAPTURE(s.n);
      CAPTURE(s.k);
      CAPTURE(gap);
      for_each_table([&](Ops& ops) {
        const auto forward = [&](const Tensor& from, const PackedWeight* packed) {
          std::vector<float> out = p.y;
          ops.linear({from, p.rounded(), matrix(out.data(), s.m, s.n), packed, true});
          return out;
        };
        const auto backward = [&](const Tensor& from) {
          std::vector<float> out = poisoned(p.x.size());
          ops.linear_backward_input({from, p.rounded(), matrix(out.data(), s.m, s.k), false});
          return out;
        };
        const auto gradient = [&](const Tensor& dy, const Tensor& x) {
          std::vector<float> dw = p.w;
          ops.linear_backward_weight({dy, x, weight(dw, s.n, s.k, Precision::bf16)});
          return dw;
        };
        const auto packed = ops.pack(p.rounded());
        CHECK(same_bits(forward(x.tensor(), nullptr), forward(wide_x, nullptr)));
        CHECK(same_bits(forward(x.tensor(), packed.get()), forward(wide_x, nullptr)));
        CHECK(same_bits(backward(dy.tensor()), backward(wide_dy)));
        const std::vector<float> dw = gradient(wide_dy, wide_x);
        CHECK(same_bits(gradient(dy.tensor(), x.tensor()), dw));
        CHECK(same_bits(gradient(wide_dy, x.tensor()), dw));
        CHECK(same_bits(gradient(dy.tensor(), wide_x), dw));
      });
    }
}

TEST_CASE("bf16 operands: rows are gathered as they are") {
  const auto values = random_floats(size_t(6 * 21), 8);
  Narrow table(values, 6, 21, 2);
  std::vector<int32_t> ids{5, 0, 5};
  std::vector<float> expected;
  for (const int32_t id : ids)
    expected.insert(expected.end(), values.begin() + id * 21, values.begin() + (id + 1) * 21);
  for_each_table([&](Ops& ops) {
    Narrow out(3, 21, 1);
    ops.embedding_forward({ints(ids.data(), 3), table.tensor(), out.tensor()});
    CHECK(out.holds(expected));
  });
}

TEST_CASE("bf16 operands: products in fp32 refuse them, and no result is stored so") {
  CpuOps ops(*available_kernels().front(), 1);
  Product p(Precision::f32, {3, 4, 5}, 9);
  Narrow x(3, 5), y(3, 4);
  const Tensor out = matrix(p.y.data(), 3, 4);
  CHECK_THROWS_WITH_AS(ops.linear({x.tensor(), p.rounded(), out}), "linear: x [3, 5] must be f32",
                       std::invalid_argument);
  Product rounded(Precision::bf16, {3, 4, 5}, 9);
  CHECK_THROWS_WITH_AS(ops.linear({x.tensor(), rounded.rounded(), y.tensor()}),
                       "linear: y [3, 4] must be f32", std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      ops.linear_backward_weight({y.tensor(), x.tensor(), matrix(p.w.data(), 4, 5)}),
      "linear_backward_weight: dy [3, 4] must be f32", std::invalid_argument);
}

// The tables of AVX-512 differ in functions that other tests take for the same.
TEST_CASE("bf16 operands: who writes them has the same fp32 bits on every instruction set") {
  const int64_t n = 83, rows = 6;
  auto x = random_floats(size_t(rows * 2 * n), 10, 3.0f);
  auto dy = random_floats(size_t(rows * n), 11), weight = random_floats(size_t(n), 12);
  std::vector<std::vector<float>> first;
  for_each_table([&](Ops& ops) {
    std::vector<float> normed = poisoned(dy.size()), rstd = poisoned(rows), d = poisoned(x.size());
    ops.rmsnorm_forward({matrix(dy.data(), rows, n), vector(weight.data(), n),
                         matrix(normed.data(), rows, n), vector(rstd.data(), rows), 1e-6f});
    std::vector<float> act = poisoned(dy.size());
    ops.swiglu_forward({matrix(x.data(), rows, 2 * n), matrix(act.data(), rows, n)});
    ops.swiglu_backward(
        {matrix(dy.data(), rows, n), matrix(x.data(), rows, 2 * n), matrix(d.data(), rows, 2 * n)});
    std::vector<float> logits = x, coef(size_t(rows), -0.3f), entropy(coef), lse(size_t(rows), 9.f);
    std::vector<int32_t> targets(size_t(rows), 2);
    ops.logits_backward({matrix(logits.data(), rows, 2 * n),
                         ints(targets.data(), rows),
                         vector(entropy.data(), rows),
                         vector(lse.data(), rows),
                         vector(coef.data(), rows),
                         {},
                         1.3f,
                         2 * n});
    const std::vector<std::vector<float>> all{normed, rstd, act, d, logits};
    if (first.empty()) first = all;
    for (size_t i = 0; i < all.size(); ++i) CHECK(same_bits(all[i], first[i]));
  });
}

}  // namespace
}  // namespace kogrpo
