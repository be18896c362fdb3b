// AdamW against twenty steps worked in double, the sum of squares, scaling and interpolation.

#include "op_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

AdamW step_of(std::vector<float>& p, const std::vector<float>& g, std::vector<float>& m,
              std::vector<float>& v, int64_t step) {
  return {.param = p.data(),
          .grad = g.data(),
          .m = m.data(),
          .v = v.data(),
          .n = int64_t(p.size()),
          .lr = 3e-3f,
          .beta1 = 0.9f,
          .beta2 = 0.95f,
          .eps = 1e-8f,
          .weight_decay = 0.1f,
          .grad_scale = 0.5f,
          .step = step};
}

TEST_CASE("AdamW follows torch.optim.AdamW over twenty steps in double") {
  const size_t n = 1003;
  const auto start = random_floats(n, 1);
  std::vector<double> p(start.begin(), start.end()), m(n, 0.0), v(n, 0.0);
  const double lr = 3e-3f, b1 = 0.9f, b2 = 0.95f, eps = 1e-8f, decay = 0.1f;
  for (int step = 1; step <= 20; ++step) {
    const auto g = random_floats(n, uint32_t(100 + step));
    for (size_t i = 0; i < n; ++i) {
      const double grad = 0.5 * double(g[i]);
      p[i] *= 1 - lr * decay;
      m[i] = b1 * m[i] + (1 - b1) * grad;
      v[i] = b2 * v[i] + (1 - b2) * grad * grad;
      p[i] -= lr / (1 - std::pow(b1, step)) * m[i] /
              (std::sqrt(v[i]) / std::sqrt(1 - std::pow(b2, step)) + eps);
    }
  }
  const std::vector<float> expected(p.begin(), p.end()), expected_m(m.begin(), m.end()),
      expected_v(v.begin(), v.end());

  std::vector<float> first;
  for_each_cpu_backend([&](Ops& ops) {
    auto fp = start;
    std::vector<float> fm(n, 0.0f), fv(n, 0.0f);
    for (int step = 1; step <= 20; ++step) {
      const auto g = random_floats(n, uint32_t(100 + step));
      ops.adamw(step_of(fp, g, fm, fv, step));
    }
    CHECK(nmse(fp, expected) <= 1e-13);
    CHECK(nmse(fm, expected_m) <= 1e-12);
    CHECK(nmse(fv, expected_v) <= 1e-12);
    if (first.empty()) first = fp;
    CHECK(same_bits(first, fp));
  });
}

TEST_CASE("AdamW: one step agrees with the reference, and slices agree with the whole") {
  const size_t n = 50021;
  const auto p0 = random_floats(n, 2), g = random_floats(n, 3), m0 = random_floats(n, 4, 0.1f);
  auto v0 = random_floats(n, 5, 0.1f);
  for (float& v : v0) v *= v;
  auto rp = p0, rm = m0, rv = v0;
  ReferenceOps().adamw(step_of(rp, g, rm, rv, 7));
  for_each_cpu_backend([&](Ops& ops) {
    auto p = p0, m = m0, v = v0;
    ops.adamw(step_of(p, g, m, v, 7));
    CHECK(nmse(p, rp) <= 1e-13);
    CHECK(nmse(m, rm) <= 1e-13);
    CHECK(nmse(v, rv) <= 1e-13);
    auto sp = p0, sm = m0, sv = v0;
    for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 333}, {333, 50021}}) {
      AdamW a = step_of(sp, g, sm, sv, 7);
      a.param += begin, a.grad += begin, a.m += begin, a.v += begin;
      a.n = end - begin;
      ops.adamw(a);
    }
    CHECK(same_bits(p, sp));
    CHECK(same_bits(v, sv));
  });
}

TEST_CASE("AdamW with zero gradient and no decay leaves parameters as they are") {
  for_each_cpu_backend([&](Ops& ops) {
    auto p = random_floats(40, 6);
    const auto before = p;
    std::vector<float> g(40, 0.0f), m(40, 0.0f), v(40, 0.0f);
    AdamW a = step_of(p, g, m, v, 1);
    a.weight_decay = 0;
    ops.adamw(a);
    CHECK(same_bits(p, before));
  });
}

TEST_CASE("AdamW rejects a step of 0 and betas outside [0, 1)") {
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<float> p(1), g(1), m(1), v(1);
  CHECK_THROWS_WITH_AS(ops.adamw(step_of(p, g, m, v, 0)), "adamw: step = 0, steps count from 1",
                       std::invalid_argument);
  AdamW a = step_of(p, g, m, v, 1);
  a.beta2 = 1;
  CHECK_THROWS_AS(ops.adamw(a), std::invalid_argument);
}

TEST_CASE("sum of squares: double precision, the same bits for any instruction set and threads") {
  for (size_t n : {size_t(0), size_t(1), size_t(15), size_t(4096), size_t(100003)}) {
    CAPTURE(n);
    const auto x = random_floats(n, 8);
    const double expected =
        ReferenceOps().sum_of_squares(vector(const_cast<float*>(x.data()), int64_t(n)));
    double first = -1;
    for_each_cpu_backend([&](Ops& ops) {
      const double actual = ops.sum_of_squares(vector(const_cast<float*>(x.data()), int64_t(n)));
      CHECK(std::fabs(actual - expected) <= 1e-13 * expected);
      if (first < 0) first = actual;
      CHECK(actual == first);
    });
  }
  // Squares beyond the range of float.
  const std::vector<float> huge(20, 1e30f);
  CpuOps ops(*available_kernels().front(), 1);
  CHECK(ops.sum_of_squares(vector(const_cast<float*>(huge.data()), 20)) ==
        doctest::Approx(20e60).epsilon(1e-6));
}

TEST_CASE("scale and lerp") {
  const size_t n = 40007;
  const auto x = random_floats(n, 9), y = random_floats(n, 10);
  auto rs = x, rl = x;
  ReferenceOps reference;
  reference.scale(rs.data(), int64_t(n), 0.3f);
  const Tensor target = vector(const_cast<float*>(y.data()), int64_t(n));
  reference.lerp(vector(rl.data(), int64_t(n)), target, 0.01f);
  for_each_cpu_backend([&](Ops& ops) {
    auto s = x, l = x, copy = x, keep = x;
    ops.scale(s.data(), int64_t(n), 0.3f);
    CHECK(same_bits(s, rs));
    ops.lerp(vector(l.data(), int64_t(n)), target, 0.01f);
    CHECK(nmse(l, rl) <= 1e-13);
    ops.lerp(vector(copy.data(), int64_t(n)), target, 1.0f);
    CHECK(same_bits(copy, y));
    ops.lerp(vector(keep.data(), int64_t(n)), target, 0.0f);
    CHECK(same_bits(keep, x));
  });
}

}  // namespace
}  // namespace kogrpo
