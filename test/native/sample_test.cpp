// The sampler: draws follow the exact distribution (χ² over 200,000 draws), log-probabilities are
// those of that distribution, and a row's draw depends on nothing but its logits and parameters.

#include <algorithm>
#include <numeric>
#include <string>

#include "matrix_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

struct Draws {
  std::vector<int32_t> token;
  std::vector<float> logprob;
};

Draws draw(Ops& ops, std::vector<float>& logits, int64_t vocab, int64_t limit,
           const std::vector<SamplingParams>& params) {
  const auto rows = int64_t(params.size());
  Draws d{std::vector<int32_t>(params.size(), -7), poisoned(params.size())};
  ops.sample({matrix(logits.data(), rows, vocab), ints(d.token.data(), rows),
              vector(d.logprob.data(), rows), params.data(), limit});
  return d;
}

std::vector<float> repeated(const std::vector<float>& row, size_t times) {
  std::vector<float> all;
  for (size_t i = 0; i < times; ++i) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// Exact probabilities after top_k, min_p, top_p; written without the sampler's own pieces.
std::vector<double> exact_distribution(const std::vector<float>& row, int64_t limit,
                                       const SamplingParams& p) {
  std::vector<double> weight(row.size(), 0.0);
  for (size_t i = 0; i < size_t(limit); ++i) weight[i] = std::exp(row[i] / double(p.temperature));
  std::vector<size_t> order(static_cast<size_t>(limit));
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return weight[a] > weight[b]; });
  std::vector<double> kept(row.size(), 0.0);
  double total = 0;
  const size_t k = p.top_k > 0 ? std::min(order.size(), size_t(p.top_k)) : order.size();
  size_t n = 0;
  for (; n < k && weight[order[n]] >= double(p.min_p) * weight[order[0]]; ++n)
    total += weight[order[n]];
  double cumulative = 0;
  for (size_t i = 0; i < n && cumulative < double(p.top_p) * total; ++i)
    cumulative += kept[order[i]] = weight[order[i]];
  for (double& w : kept) w /= cumulative;
  return kept;
}

struct Setting {
  std::string name;
  SamplingParams params;
};

std::vector<Setting> settings() {
  std::vector<Setting> all;
  const auto setting = [&](const char* name, float temperature, int32_t top_k, float top_p,
                           float min_p) {
    SamplingParams p;
    p.temperature = temperature, p.top_k = top_k, p.top_p = top_p, p.min_p = min_p;
    p.seed = 0x123456789abcdef0, p.stream = 0xfedcba9876543210;
    all.push_back({name, p});
  };
  setting("plain", 1.0f, 0, 1.0f, 0.0f);
  setting("temperature", 0.6f, 0, 1.0f, 0.0f);
  setting("top_k", 1.0f, 5, 1.0f, 0.0f);
  setting("top_p", 1.2f, 0, 0.8f, 0.0f);
  setting("min_p", 1.0f, 0, 1.0f, 0.1f);
  setting("top_k, min_p and top_p", 0.9f, 20, 0.9f, 0.02f);
  return all;
}

TEST_CASE("200,000 draws follow the exact distribution") {
  const int64_t vocab = 41, limit = 37;
  const size_t rows = 4000, calls = 50;
  const auto row = random_floats(size_t(vocab), 101, 1.5f);
  auto logits = repeated(row, rows);
  CpuOps ops(*available_kernels().front(), 2);
  for (const Setting& s : settings()) {
    CAPTURE(s.name);
    const auto exact = exact_distribution(row, limit, s.params);
    std::vector<double> count(size_t(vocab), 0.0);
    std::vector<SamplingParams> params(rows, s.params);
    double worst = 0;
    for (size_t call = 0; call < calls; ++call) {
      for (size_t r = 0; r < rows; ++r) params[r].position = int64_t(call * rows + r);
      const Draws d = draw(ops, logits, vocab, limit, params);
      for (size_t r = 0; r < rows; ++r) {
        const auto id = size_t(d.token[r]);
        REQUIRE(id < size_t(limit));
        ++count[id];
        worst = std::max(worst, std::fabs(d.logprob[r] - std::log(exact[id])));
      }
    }
    CHECK(worst <= 1e-5);
    const double n = double(rows * calls);
    double chi2 = 0, rare_expected = 0, rare_count = 0;
    int cells = 0;
    for (size_t i = 0; i < size_t(vocab); ++i) {
      if (exact[i] == 0) {
        CHECK(count[i] == 0);
      } else if (n * exact[i] < 10) {
        rare_expected += n * exact[i], rare_count += count[i];
      } else {
        chi2 += (count[i] - n * exact[i]) * (count[i] - n * exact[i]) / (n * exact[i]);
        ++cells;
      }
    }
    if (rare_expected > 5) {
      chi2 += (rare_count - rare_expected) * (rare_count - rare_expected) / rare_expected;
      ++cells;
    }
    const double freedom = cells - 1;
    MESSAGE(s.name, ": chi-square ", chi2, " with ", freedom, " degrees of freedom");
    // Mean `freedom`, deviation √(2·freedom).
    CHECK(chi2 <= freedom + 4 * std::sqrt(2 * freedom));
    CHECK(chi2 >= freedom - 4 * std::sqrt(2 * freedom));
  }
}

TEST_CASE("every backend draws the reference's tokens, peaked and flat rows, all settings") {
  const int64_t vocab = 1003, limit = 1001;
  const size_t rows = 150;
  for (float scale : {0.1f, 2.0f, 9.0f})
    for (const Setting& s : settings()) {
      CAPTURE(scale);
      CAPTURE(s.name);
      auto logits = random_floats(rows * size_t(vocab), 111, scale);
      std::vector<SamplingParams> params(rows, s.params);
      for (size_t r = 0; r < rows; ++r) {
        params[r].stream = r * 0x100000001;
        params[r].position = int64_t(r % 7);
      }
      ReferenceOps reference;
      const Draws expected = draw(reference, logits, vocab, limit, params);
      Draws first;
      for_each_cpu_backend([&](Ops& ops) {
        const Draws d = draw(ops, logits, vocab, limit, params);
        CHECK(d.token == expected.token);
        for (size_t r = 0; r < rows; ++r)
          CHECK(std::fabs(d.logprob[r] - expected.logprob[r]) <= 1e-5);
        if (first.token.empty()) first = d;
        CHECK(same_bits(d.logprob, first.logprob));
      });
    }
}

TEST_CASE("unrestricted and greedy log-probabilities are logits_forward's to the bit") {
  const int64_t vocab = 5001, limit = 4999;
  const size_t rows = 24;
  auto logits = random_floats(rows * size_t(vocab), 121, 4.0f);
  for_each_cpu_backend([&](Ops& ops) {
    for (float temperature : {0.0f, 0.7f, 1.0f, 1.3f}) {
      CAPTURE(temperature);
      std::vector<SamplingParams> params(rows);
      for (size_t r = 0; r < rows; ++r) params[r].temperature = temperature, params[r].stream = r;
      Draws d = draw(ops, logits, vocab, limit, params);
      std::vector<float> logprob(rows), entropy(rows), lse(rows);
      const auto n = int64_t(rows);
      ops.logits_forward({matrix(logits.data(), n, vocab), ints(d.token.data(), n),
                          vector(logprob.data(), n), vector(entropy.data(), n),
                          vector(lse.data(), n), temperature > 0 ? 1.0f / temperature : 1.0f,
                          limit});
      CHECK(same_bits(d.logprob, logprob));
      if (temperature == 0)
        for (size_t r = 0; r < rows; ++r) {
          const auto begin = logits.begin() + int64_t(r) * vocab;
          CHECK(d.token[r] == std::max_element(begin, begin + limit) - begin);
        }
    }
  });
}

TEST_CASE("a row's draw does not depend on the other rows") {
  const int64_t vocab = 700;
  const size_t rows = 12;
  auto logits = random_floats(rows * size_t(vocab), 131, 2.0f);
  std::vector<SamplingParams> params;
  for (size_t r = 0; r < rows; ++r) {
    params.push_back(settings()[r % 6].params);
    params.back().stream = 1000 + r;
  }
  for_each_cpu_backend([&](Ops& ops) {
    const Draws whole = draw(ops, logits, vocab, vocab, params);
    for (size_t r = 0; r < rows; ++r) {
      auto row = slice(logits, int64_t(r) * vocab, int64_t(r + 1) * vocab);
      const Draws alone = draw(ops, row, vocab, vocab, {params[r]});
      CHECK(alone.token[0] == whole.token[r]);
      CHECK(same_bits(alone.logprob, {whole.logprob[r]}));
    }
  });
}

TEST_CASE("seed, stream and position each change the draw") {
  const int64_t vocab = 4096;
  std::vector<float> logits(size_t(vocab) * 6, 0.0f);
  std::vector<SamplingParams> params(6);
  params[1].seed = 1;
  params[2].seed = uint64_t(1) << 32;
  params[3].stream = 1;
  params[4].stream = uint64_t(1) << 32;
  params[5].position = 1;
  CpuOps ops(*available_kernels().front(), 1);
  Draws d = draw(ops, logits, vocab, vocab, params);
  std::sort(d.token.begin(), d.token.end());
  CHECK(std::unique(d.token.begin(), d.token.end()) == d.token.end());
}

TEST_CASE("ids from vocab_limit on are never drawn") {
  const int64_t vocab = 50, limit = 43;
  const size_t rows = 500;
  auto row = random_floats(size_t(vocab), 141);
  for (int64_t i = limit; i < vocab; ++i) row[size_t(i)] = i % 2 ? 1e30f : 60.0f;
  auto logits = repeated(row, rows);
  for_each_cpu_backend([&](Ops& ops) {
    for (Setting s : settings()) {
      std::vector<SamplingParams> params(rows, s.params);
      for (size_t r = 0; r < rows; ++r) params[r].position = int64_t(r);
      params[0].temperature = 0;
      const Draws d = draw(ops, logits, vocab, limit, params);
      for (int32_t token : d.token) CHECK(token < limit);
      for (float logprob : d.logprob) CHECK(logprob <= 0.0f);
    }
  });
}

TEST_CASE("ties go to the lowest id") {
  const std::vector<float> row = {0, 3, 3, 1, 3, 0, 0};
  for_each_cpu_backend([&](Ops& ops) {
    auto logits = row;
    SamplingParams p;
    p.temperature = 0;
    CHECK(draw(ops, logits, 7, 7, {p}).token[0] == 1);
    // Two of three equals survive top_k = 2: those with the lower ids.
    auto many = repeated(row, 300);
    std::vector<SamplingParams> params(300);
    for (size_t r = 0; r < 300; ++r) params[r].top_k = 2, params[r].position = int64_t(r);
    const Draws k = draw(ops, many, 7, 7, params);
    CHECK(*std::max_element(k.token.begin(), k.token.end()) == 2);
    CHECK(*std::min_element(k.token.begin(), k.token.end()) == 1);
    for (float logprob : k.logprob) CHECK(logprob == doctest::Approx(std::log(0.5)));
    // A tiny top_p keeps exactly one id.
    for (auto& q : params) q.top_k = 0, q.top_p = 0.01f;
    const Draws one = draw(ops, many, 7, 7, params);
    for (int32_t token : one.token) CHECK(token == 1);
    for (float logprob : one.logprob) CHECK(logprob == 0.0f);
  });
}

TEST_CASE("parameters out of range are named with their row") {
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<float> logits(16, 0.0f);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto message = [&](auto change) {
    std::vector<SamplingParams> params(2);
    change(params[1]);
    try {
      draw(ops, logits, 8, 8, params);
    } catch (const std::invalid_argument& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK(message([](SamplingParams& p) { p.top_p = 0; }) ==
        "sample: row 1: top_p = 0.000000, must be in (0, 1]");
  for (const std::string& m : {message([&](SamplingParams& p) { p.temperature = nan; }),
                               message([](SamplingParams& p) { p.temperature = -1; }),
                               message([](SamplingParams& p) { p.temperature = 1e-45f; })})
    CHECK(m.find("sample: row 1: temperature") == 0);
  CHECK(message([&](SamplingParams& p) { p.top_p = nan; }).find("top_p") != std::string::npos);
  CHECK(message([](SamplingParams& p) { p.top_p = 1.5f; }).find("top_p") != std::string::npos);
  CHECK(message([](SamplingParams& p) { p.min_p = -0.1f; }).find("min_p") != std::string::npos);
  CHECK(message([&](SamplingParams& p) { p.min_p = nan; }).find("min_p") != std::string::npos);
  CHECK(message([](SamplingParams& p) { p.top_k = -1; }).find("top_k") != std::string::npos);
  CHECK(message([](SamplingParams& p) { p.position = -1; }).find("position") != std::string::npos);
}

TEST_CASE("a row that is not finite gets no token, and the others theirs") {
  for_each_cpu_backend([&](Ops& ops) {
    for (float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
      for (int32_t top_k : {0, 3}) {
        std::vector<float> logits(60, 0.5f);
        logits[45] = bad;
        std::vector<SamplingParams> params(3);
        params[2].top_k = top_k;
        std::vector<int32_t> token(3, -7);
        std::vector<float> logprob(3, 7.0f);  // not NaN, which is what the row is to get
        ops.sample({matrix(logits.data(), 3, 20), ints(token.data(), 3), vector(logprob.data(), 3),
                    params.data(), 20});
        CHECK(token[2] == -1);
        CHECK(std::isnan(logprob[2]));
        CHECK(std::min(token[0], token[1]) >= 0);
        CHECK(std::max(logprob[0], logprob[1]) < 0);
      }
  });
}

TEST_CASE("an id at minus infinity is never drawn, and a row of nothing else gets no token") {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  constexpr size_t kRows = 40, kVocab = 70;
  std::vector<float> row = random_floats(kVocab, 17);
  for (size_t i = 0; i < kVocab; ++i)
    if (i % 3 != 1) row[i] = kNever;
  std::vector<SamplingParams> settings(5);
  settings[1].top_k = 60;  // more than there are
  settings[2].top_p = 0.999f;
  settings[3].min_p = 0.01f;
  settings[4].temperature = 0;
  std::vector<float> logits = repeated(row, kRows);
  std::vector<float> none(kVocab, kNever);
  for (const SamplingParams& setting : settings) {
    std::vector<SamplingParams> params(kRows, setting);
    for (size_t r = 0; r < kRows; ++r) params[r].position = int64_t(r);
    ReferenceOps reference;
    const Draws expected = draw(reference, logits, kVocab, kVocab, params);
    for_each_cpu_backend([&](Ops& ops) {
      const Draws d = draw(ops, logits, kVocab, kVocab, params);
      CHECK(d.token == expected.token);
      CHECK(nmse(d.logprob, expected.logprob) < 1e-11);
      for (const int32_t token : d.token) CHECK(token % 3 == 1);
      CHECK(draw(ops, none, kVocab, kVocab, {setting}).token[0] == -1);
    });
  }
}

TEST_CASE("the likeliest ids are the reference's, their log-probs logits_forward's to the bit") {
  constexpr int64_t kRows = 7, kVocab = 700, kLimit = 650, kTop = 20;
  std::vector<float> logits = random_floats(size_t(kRows * kVocab), 11, 3.0f);
  std::fill_n(logits.begin() + kVocab, kVocab, 0.25f);  // ties: the lowest ids
  for (int64_t i = 0; i < kLimit; ++i) logits[size_t(2 * kVocab + i)] = -100.0f * float(i);
  const auto top = [&](Ops& ops) {
    std::vector<int32_t> ids(size_t(kRows * kTop), -1);
    std::vector<float> logprobs = poisoned(ids.size());
    ops.top_logprobs({matrix(logits.data(), kRows, kVocab),
                      Tensor{ids.data(), DType::i32, kRows, kTop, kTop},
                      matrix(logprobs.data(), kRows, kTop), kLimit});
    return std::pair(ids, logprobs);
  };
  ReferenceOps reference;
  const auto expected = top(reference);
  for_each_cpu_backend([&](Ops& ops) {
    const auto found = top(ops);
    CHECK(found.first == expected.first);
    CHECK(nmse(found.second, expected.second) < 1e-12);
    for (int64_t k = 0; k < kTop; ++k) {
      std::vector<int32_t> targets;
      for (int64_t r = 0; r < kRows; ++r) targets.push_back(found.first[size_t(r * kTop + k)]);
      std::vector<float> logprob(kRows), entropy(kRows), lse(kRows);
      ops.logits_forward({matrix(logits.data(), kRows, kVocab), ints(targets.data(), kRows),
                          vector(logprob.data(), kRows), vector(entropy.data(), kRows),
                          vector(lse.data(), kRows), 1.0f, kLimit});
      for (int64_t r = 0; r < kRows; ++r)
        CHECK(same_bits({logprob[size_t(r)]}, {found.second[size_t(r * kTop + k)]}));
    }
    std::vector<float> broken = logits;
    broken[5] = NAN;
    std::vector<int32_t> ids(1);
    std::vector<float> logprob(1);
    CHECK_THROWS_AS(ops.top_logprobs({matrix(broken.data(), 1, kVocab), ints(ids.data(), 1),
                                      vector(logprob.data(), 1), kLimit}),
                    std::runtime_error);
  });
}

}  // namespace
}  // namespace kogrpo
