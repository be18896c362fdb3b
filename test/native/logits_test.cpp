// Log-probabilities, entropies and gradients of rows of logits: against double precision at small
// and full vocabulary, central differences, and rows that do not know their batch.

#include "matrix_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

struct Case {
  int64_t rows, vocab, limit;
  float inv_temperature, scale;
};

struct Result {
  std::vector<float> logprob, entropy, lse, gradient;
};

// Row r of the seed's matrix from `begin` on; target −1 in every fifth row.
Result run(Ops& ops, const Case& c, bool with_entropy, int64_t begin = 0, int64_t count = -1) {
  if (count < 0) count = c.rows;
  Matrix logits = Matrix::random(c.rows, c.vocab, 71, c.scale);
  const Tensor rows = logits.tensor().row_range(begin, count);
  std::vector<int32_t> targets(size_t(c.rows), 0);
  for (int64_t r = 0; r < c.rows; ++r)
    targets[size_t(r)] = r % 5 == 4 ? -1 : int32_t((r * 7919) % c.limit);
  Result out;
  out.logprob = poisoned(size_t(count)), out.entropy = poisoned(size_t(count));
  out.lse = poisoned(size_t(count));
  auto coef = random_floats(size_t(c.rows), 72), coef_entropy = random_floats(size_t(c.rows), 73);
  const Tensor at = ints(targets.data() + begin, count);
  ops.logits_forward({rows, at, vector(out.logprob.data(), count),
                      vector(out.entropy.data(), count), vector(out.lse.data(), count),
                      c.inv_temperature, c.limit});
  ops.logits_backward({rows, at, vector(out.entropy.data(), count), vector(out.lse.data(), count),
                       vector(coef.data() + begin, count),
                       with_entropy ? vector(coef_entropy.data() + begin, count) : Tensor{},
                       c.inv_temperature, c.limit});
  out.gradient = slice(logits.values(), begin * c.vocab, (begin + count) * c.vocab);
  return out;
}

TEST_CASE("logits match the reference") {
  for (const Case& c : {Case{11, 1, 1, 1.0f, 1.0f}, Case{7, 33, 33, 1.0f, 3.0f},
                        Case{6, 300, 283, 1.25f, 4.0f}, Case{5, 5003, 5000, 0.7f, 5.0f}})
    for (bool with_entropy : {false, true}) {
      CAPTURE(c.vocab);
      CAPTURE(with_entropy);
      check_backends([&](Ops& ops) {
        const Result r = run(ops, c, with_entropy);
        return std::vector{r.logprob, r.entropy, r.lse, r.gradient};
      });
    }
}

TEST_CASE("logits at Qwen3's vocabulary stay within 2e-6 of double precision") {
  for (float scale : {0.0f, 0.05f, 3.0f, 12.0f}) {
    const Case c{2, 151936, 151669, 1.0f, scale};
    CAPTURE(scale);
    const Result exact = [&] {
      ReferenceOps reference;
      return run(reference, c, true);
    }();
    CpuOps ops(*available_kernels().front(), 1);
    const Result r = run(ops, c, true);
    for (size_t i = 0; i < 2; ++i) {
      CHECK(std::fabs(r.logprob[i] - exact.logprob[i]) <= 2e-6 * std::fabs(exact.logprob[i]));
      CHECK(std::fabs(r.lse[i] - exact.lse[i]) <= 2e-6 * std::fabs(exact.lse[i]));
      CHECK(std::fabs(r.entropy[i] - exact.entropy[i]) <= 2e-6 * (1 + exact.entropy[i]));
    }
    CHECK(nmse(r.gradient, exact.gradient) <= 1e-11);
    double sum = 0;
    for (int64_t i = 0; i < c.vocab; ++i) sum += r.gradient[size_t(i)];
    CHECK(std::fabs(sum) <= 1e-5);
  }
}

TEST_CASE("rows of logits do not know their batch") {
  const Case c{13, 777, 770, 0.9f, 4.0f};
  for_each_cpu_backend([&](Ops& ops) {
    const Result whole = run(ops, c, true), part = run(ops, c, true, 6, 3);
    CHECK(same_bits(slice(whole.logprob, 6, 9), part.logprob));
    CHECK(same_bits(slice(whole.entropy, 6, 9), part.entropy));
    CHECK(same_bits(slice(whole.lse, 6, 9), part.lse));
    CHECK(same_bits(slice(whole.gradient, 6 * 777, 9 * 777), part.gradient));
  });
}

TEST_CASE("logits gradients match central differences") {
  const int64_t rows = 3, vocab = 8, limit = 7;
  const float inv = 1.3f;
  auto logits = random_floats(size_t(rows * vocab), 81, 1.5f);
  std::vector<int32_t> targets = {2, -1, 6};
  std::vector<float> logprob(3), entropy(3), lse(3), coef = {0.7f, 5.0f, -1.1f},
                                                     coef_entropy = {0.3f, 5.0f, 0.9f};
  auto gradient = logits;
  ReferenceOps ops;
  const Tensor at = ints(targets.data(), rows);
  ops.logits_forward({matrix(gradient.data(), rows, vocab), at, vector(logprob.data(), rows),
                      vector(entropy.data(), rows), vector(lse.data(), rows), inv, limit});
  ops.logits_backward({matrix(gradient.data(), rows, vocab), at, vector(entropy.data(), rows),
                       vector(lse.data(), rows), vector(coef.data(), rows),
                       vector(coef_entropy.data(), rows), inv, limit});
  check_gradient(
      [&](const std::vector<double>& x) {
        double loss = 0;
        for (int64_t r = 0; r < rows; ++r) {
          if (targets[size_t(r)] < 0) continue;
          const double* row = &x[size_t(r * vocab)];
          double sum = 0, entropy = 0;
          for (int64_t i = 0; i < limit; ++i) sum += std::exp(inv * row[i]);
          for (int64_t i = 0; i < limit; ++i) {
            const double log_p = inv * row[i] - std::log(sum);
            entropy -= std::exp(log_p) * log_p;
            if (i == targets[size_t(r)]) loss += coef[size_t(r)] * log_p;
          }
          loss += coef_entropy[size_t(r)] * entropy;
        }
        return loss;
      },
      logits, gradient);
}

TEST_CASE("columns beyond vocab_limit have no influence and no gradient") {
  for_each_cpu_backend([&](Ops& ops) {
    std::vector<float> logits = {1, 2, 3, 1e30f}, a(1), b(1), c(1), coef = {2.0f};
    std::vector<int32_t> target = {1};
    ops.logits_forward({matrix(logits.data(), 1, 4), ints(target.data(), 1), vector(a.data(), 1),
                        vector(b.data(), 1), vector(c.data(), 1), 1.0f, 3});
    CHECK(a[0] == doctest::Approx(2 - std::log(std::exp(1.0) + std::exp(2.0) + std::exp(3.0))));
    ops.logits_backward({matrix(logits.data(), 1, 4),
                         ints(target.data(), 1),
                         vector(b.data(), 1),
                         vector(c.data(), 1),
                         vector(coef.data(), 1),
                         {},
                         1.0f,
                         3});
    CHECK(logits[3] == 0.0f);
    CHECK(logits[0] + logits[1] + logits[2] == doctest::Approx(0).epsilon(1e-6));
  });
}

TEST_CASE("correct marks targets that no id is likelier than, ties included") {
  for_each_cpu_backend([&](Ops& ops) {
    // Beyond vocab_limit = 3 stands a larger logit that must not count.
    std::vector<float> logits = {1, 2, 2, 9, 1, 2, 2, 9, 1, 2, 2, 9, 1, 2, 2, 9};
    std::vector<float> a(4), b(4), c(4);
    auto correct = poisoned(4);
    std::vector<int32_t> targets = {1, 2, 0, -1};
    ops.logits_forward({matrix(logits.data(), 4, 4), ints(targets.data(), 4), vector(a.data(), 4),
                        vector(b.data(), 4), vector(c.data(), 4), 1.0f, 3,
                        vector(correct.data(), 4)});
    CHECK(correct == std::vector<float>{1, 1, 0, 0});
  });
}

TEST_CASE("scale_columns multiplies every row by one factor a column, exactly rounded") {
  for (const auto& shape : {std::pair{3, 5}, std::pair{7, 259}}) {
    const int rows = shape.first, cols = shape.second;
    const auto factors = random_floats(size_t(cols), 95);
    check_backends(
        [&](Ops& ops) {
          Matrix x = Matrix::random(rows, cols, 94);
          auto scale = factors;
          ops.scale_columns({x.tensor(), vector(scale.data(), cols)});
          return std::vector<std::vector<float>>{x.values()};
        },
        0);
  }
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<float> x(8), scale(3);
  CHECK_THROWS_AS(ops.scale_columns({matrix(x.data(), 2, 4), vector(scale.data(), 3)}),
                  std::invalid_argument);
}

TEST_CASE("a NaN among the logits shows in every result") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t bad : {size_t(0), size_t(70), size_t(99)})
    for_each_cpu_backend([&](Ops& ops) {
      auto logits = random_floats(100, 91);
      logits[bad] = nan;
      std::vector<float> a(1), b(1), c(1);
      std::vector<int32_t> target = {1};
      ops.logits_forward({matrix(logits.data(), 1, 100), ints(target.data(), 1),
                          vector(a.data(), 1), vector(b.data(), 1), vector(c.data(), 1), 1.0f,
                          100});
      CHECK(std::isnan(a[0]));
      CHECK(std::isnan(b[0]));
      CHECK(std::isnan(c[0]));
    });
}

TEST_CASE("logits_forward names what is wrong") {
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<float> logits(8), a(2), b(2), c(2);
  std::vector<int32_t> targets = {0, 4};
  LogitsForward f{matrix(logits.data(), 2, 4),
                  ints(targets.data(), 2),
                  vector(a.data(), 2),
                  vector(b.data(), 2),
                  vector(c.data(), 2),
                  1.0f,
                  4};
  CHECK_THROWS_WITH_AS(ops.logits_forward(f), "logits_forward: targets[1] = 4, must be in [-1, 4)",
                       std::invalid_argument);
  f.vocab_limit = 5;
  CHECK_THROWS_WITH_AS(ops.logits_forward(f), "logits_forward: vocab_limit = 5, must be in [1, 4]",
                       std::invalid_argument);
  f.vocab_limit = 4;
  f.inv_temperature = 0;
  CHECK_THROWS_AS(ops.logits_forward(f), std::invalid_argument);
}

}  // namespace
}  // namespace kogrpo
