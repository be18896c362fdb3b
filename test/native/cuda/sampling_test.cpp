// Log-probs, their gradient, and sampling on the CUDA backend, against the reference.

#include "device_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

struct Rows {
  Twin logits, logprob, entropy, lse, correct;
  std::vector<int32_t> target;
  int64_t vocab, limit;
  float inv_temperature;

  Rows(int64_t rows, int64_t v, int64_t l, float scale, float inverse, int64_t gap)
      : logits(Twin::random(DType::f32, rows, v, 1, scale, gap)),
        logprob(Twin::vector_output(rows)),
        entropy(Twin::vector_output(rows)),
        lse(Twin::vector_output(rows)),
        correct(Twin::vector_output(rows)),
        vocab(v),
        limit(l),
        inv_temperature(inverse) {
    for (int64_t r = 0; r < rows; ++r) target.push_back(r == 1 ? -1 : int32_t(r * 97 % l));
    const auto row = logits.host().row(0);
    target[0] = int32_t(std::max_element(row, row + l) - row);
  }
  Tensor targets() { return ints(target.data(), int64_t(target.size())); }
  void forward() {
    ReferenceOps().logits_forward({logits.host(), targets(), logprob.host(), entropy.host(),
                                   lse.host(), inv_temperature, limit, correct.host()});
    cuda_ops().logits_forward({logits.device(), targets(), logprob.device(), entropy.device(),
                               lse.device(), inv_temperature, limit, correct.device()});
  }
};

// Vocabularies whose rows begin on 16 bytes and ones whose rows do not, short and long.
struct Shape {
  int64_t vocab, limit, gap;
};
const Shape kShapes[] = {{5001, 4990, 3}, {5001, 4999, 2}, {40, 37, 8}, {9000, 9000, 0}};

TEST_CASE("log-prob, entropy, lse and the most probable id") {
  for (const Shape& s : kShapes)
    for (const float scale : {0.5f, 12.0f}) {
      CAPTURE(s.vocab);
      CAPTURE(scale);
      Rows r(6, s.vocab, s.limit, scale, 1.25f, s.gap);
      r.forward();
      CHECK(r.logprob.error() <= 1e-11);
      CHECK(r.entropy.error() <= 1e-10);
      CHECK(r.lse.error() <= 1e-11);
      CHECK(r.correct.error() == 0);
    }
}

TEST_CASE("the logits' gradient in place, in fp32 and in bf16 over the same memory") {
  for (const Shape& s : kShapes)
    for (const bool entropy : {false, true}) {
      CAPTURE(s.vocab);
      CAPTURE(entropy);
      Rows r(6, s.vocab, s.limit, 2.0f, 0.8f, s.gap);
      r.forward();
      r.entropy.put(r.entropy.values());
      r.lse.put(r.lse.values());
      const auto original = r.logits.values();
      Twin c = Twin::vector(6, 2), e = Twin::vector(6, 3);
      const Tensor none{};
      ReferenceOps().logits_backward({r.logits.host(), r.targets(), r.entropy.host(), r.lse.host(),
                                      c.host(), entropy ? e.host() : none, r.inv_temperature,
                                      r.limit});
      LogitsBackward call{r.logits.device(), r.targets(), r.entropy.device(),
                          r.lse.device(),    c.device(),  entropy ? e.device() : none,
                          r.inv_temperature, r.limit};
      cuda_ops().logits_backward(call);
      CHECK(r.logits.error() <= 1e-11);

      r.logits.put(original);
      call.gradient = DType::bf16;
      const Tensor d = cuda_ops().logits_backward(call);
      CHECK(d.dtype == DType::bf16);
      CHECK(d.stride == 2 * (s.vocab + s.gap));
      std::vector<bf16> bits(size_t(6 * d.stride));
      KOGRPO_CUDA(cudaMemcpyAsync(bits.data(), d.data,
                                  (bits.size() - size_t(d.stride)) * 2 + size_t(s.vocab) * 2,
                                  cudaMemcpyDeviceToHost, cuda_ops().context().stream()));
      cuda_ops().synchronize();
      std::vector<float> values;
      for (int64_t row = 0; row < 6; ++row)
        for (int64_t i = 0; i < s.vocab; ++i)
          values.push_back(widen(bits[size_t(row * d.stride + i)]));
      CHECK(nmse(values, r.logits.values()) <= 1.6e-5);  // one rounding: (2⁻⁸)²
    }
}

struct Draws {
  std::vector<int32_t> token;
  std::vector<float> logprob;
};

Draws draw(Ops& ops, const Tensor& logits, int64_t limit,
           const std::vector<SamplingParams>& params) {
  Draws d{std::vector<int32_t>(params.size(), -7), poisoned(params.size())};
  const auto n = int64_t(params.size());
  ops.sample({logits, ints(d.token.data(), n), vector(d.logprob.data(), n), params.data(), limit});
  return d;
}

std::vector<SamplingParams> settings() {
  std::vector<SamplingParams> all;
  const auto add = [&](float temperature, int32_t top_k, float top_p, float min_p) {
    SamplingParams p;
    p.temperature = temperature, p.top_k = top_k, p.top_p = top_p, p.min_p = min_p;
    p.seed = 0x123456789abcdef0, p.stream = 0xfedcba9876543210;
    all.push_back(p);
  };
  add(1.0f, 0, 1.0f, 0.0f);
  add(0.6f, 0, 1.0f, 0.0f);
  add(1.0f, 5, 1.0f, 0.0f);
  add(1.2f, 0, 0.8f, 0.0f);
  add(1.0f, 0, 1.0f, 0.1f);
  add(0.9f, 20, 0.9f, 0.02f);
  add(0.0f, 0, 1.0f, 0.0f);
  return all;
}

TEST_CASE("the reference's tokens and log-probs, peaked and flat rows, all settings") {
  const int64_t vocab = 1003, limit = 1001, rows = 21;
  for (const float scale : {0.1f, 2.0f, 9.0f}) {
    CAPTURE(scale);
    Twin logits = Twin::random(DType::f32, rows, vocab, 111, scale, 1);
    std::vector<SamplingParams> params;
    for (int64_t r = 0; r < rows; ++r) {
      params.push_back(settings()[size_t(r) % 7]);
      params.back().stream = uint64_t(r) * 0x100000001;
      params.back().position = r % 5;
    }
    const Draws expected = draw(*std::make_unique<ReferenceOps>(), logits.host(), limit, params);
    const Draws actual = draw(cuda_ops(), logits.device(), limit, params);
    CHECK(actual.token == expected.token);
    for (size_t r = 0; r < params.size(); ++r)
      CHECK(std::fabs(actual.logprob[r] - expected.logprob[r]) <= 2e-5);
  }
}

TEST_CASE("the sampler's log-probs are logits_forward's to the bit") {
  const int64_t vocab = 6001, limit = 5999, rows = 6;
  Twin logits = Twin::random(DType::f32, rows, vocab, 121, 4.0f, 3);
  for (const float temperature : {0.0f, 0.7f, 1.0f}) {
    CAPTURE(temperature);
    std::vector<SamplingParams> params(size_t(rows), settings()[0]);
    for (size_t r = 0; r < params.size(); ++r)
      params[r].temperature = temperature, params[r].stream = r;
    Draws d = draw(cuda_ops(), logits.device(), limit, params);
    Twin logprob = Twin::vector_output(rows), entropy = Twin::vector_output(rows),
         lse = Twin::vector_output(rows);
    cuda_ops().logits_forward({logits.device(), ints(d.token.data(), rows), logprob.device(),
                               entropy.device(), lse.device(),
                               temperature > 0 ? 1.0f / temperature : 1.0f, limit});
    CHECK(same_bits(d.logprob, logprob.download()));
  }
}

TEST_CASE("ties go to the lowest id, and ids from vocab_limit on are never drawn") {
  const std::vector<float> row = {0, 3, 3, 1, 3, 0, 0, 60};
  std::vector<float> many;
  for (int r = 0; r < 24; ++r) many.insert(many.end(), row.begin(), row.end());
  Twin logits(DType::f32, 24, 8, many, 0);
  std::vector<SamplingParams> params(24, settings()[0]);
  for (size_t r = 0; r < 24; ++r) params[r].top_k = 2, params[r].position = int64_t(r);
  params[0].temperature = 0;
  const Draws d = draw(cuda_ops(), logits.device(), 7, params);
  CHECK(d.token[0] == 1);
  for (const int32_t t : d.token) CHECK((t == 1 || t == 2));
}

TEST_CASE("a row that is not finite gets no token, and the others theirs") {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (const int32_t top_k : {0, 3}) {
      std::vector<float> values(60, 0.5f);
      values[45] = bad;
      Twin logits(DType::f32, 3, 20, values, 0);
      std::vector<SamplingParams> params(3, settings()[0]);
      params[2].top_k = top_k;
      const Draws d = draw(cuda_ops(), logits.device(), 20, params);
      CHECK(d.token[2] == -1);
      CHECK(std::isnan(d.logprob[2]));
      CHECK(std::min(d.token[0], d.token[1]) >= 0);
    }
}

TEST_CASE("the likeliest ids and their log-probs, ties by id; columns under a factor") {
  std::vector<float> values = random_floats(3 * 5001, 7, 3.0f);
  values[10] = values[4000] = values[20] = 30.0f;
  Twin logits(DType::f32, 3, 5001, values, 1);
  std::vector<int32_t> expected(3 * 5), actual(3 * 5, -7);
  std::vector<float> expected_logprobs(3 * 5), actual_logprobs = poisoned(3 * 5);
  const auto call = [](const Tensor& z, std::vector<int32_t>& ids, std::vector<float>& logprobs) {
    return TopLogprobs{
        z, {ids.data(), DType::i32, 3, 5, 5, Precision::f32}, matrix(logprobs.data(), 3, 5), 4990};
  };
  ReferenceOps().top_logprobs(call(logits.host(), expected, expected_logprobs));
  cuda_ops().top_logprobs(call(logits.device(), actual, actual_logprobs));
  CHECK(actual == expected);
  CHECK(actual[0] == 10);
  CHECK(actual[1] == 20);
  CHECK(nmse(actual_logprobs, expected_logprobs) <= 1e-11);

  Twin factors = Twin::vector(5001, 8);
  ReferenceOps().scale_columns({logits.host(), factors.host()});
  cuda_ops().scale_columns({logits.device(), factors.device()});
  CHECK(logits.error() <= 1e-14);
}

TEST_CASE("draws follow the distribution: chi-square over 1,000 draws of 12 ids") {
  const int64_t vocab = 12, rows = 250;
  const auto row = random_floats(size_t(vocab), 101, 1.5f);
  std::vector<float> many;
  for (int64_t r = 0; r < rows; ++r) many.insert(many.end(), row.begin(), row.end());
  Twin logits(DType::f32, rows, vocab, many, 0);
  std::vector<double> p(row.begin(), row.end());
  double total = 0;
  for (double& x : p) total += x = std::exp(x);
  std::vector<double> count(size_t(vocab), 0.0);
  for (int64_t call = 0; call < 4; ++call) {
    std::vector<SamplingParams> params(size_t(rows), settings()[0]);
    for (int64_t r = 0; r < rows; ++r) params[size_t(r)].position = call * rows + r;
    for (const int32_t t : draw(cuda_ops(), logits.device(), vocab, params).token)
      ++count[size_t(t)];
  }
  double chi2 = 0;
  for (size_t i = 0; i < size_t(vocab); ++i) {
    const double expected = 1000 * p[i] / total;
    chi2 += (count[i] - expected) * (count[i] - expected) / expected;
  }
  MESSAGE("chi-square ", chi2, " with 11 degrees of freedom");
  CHECK(chi2 <= 11 + 4 * std::sqrt(22.0));
}

}  // namespace
}  // namespace kogrpo
