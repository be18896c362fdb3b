// Products with 8-bit weights: against double sums of the same rounded values, the exact integers
// that they are defined by, and the same bits on every instruction set, thread count, batch and
// packing.

#include "cpu/int8.h"

#include <numeric>

#include "engine/engine.h"
#include "product_testing.h"
#include "tiny_model.h"

namespace kogrpo {
namespace {

using namespace testing;

const std::vector<Sizes> kSizes = {{1, 1, 1},     {1, 32, 64},  {2, 33, 31},    {5, 48, 96},
                                   {7, 31, 33},   {8, 65, 770}, {15, 64, 1537}, {40, 100, 3},
                                   {57, 40, 258}, {130, 33, 64}};

Tensor int8(std::vector<float>& w, int64_t rows, int64_t cols) {
  return weight(w, rows, cols, Precision::int8);
}

struct Case : Product {
  Case(Sizes s, uint32_t seed) : Product(Precision::int8, s, seed, 1, 0.1f) {}

  // As cpu/int8.h defines it, in 64-bit integers, then the same few roundings.
  float exact(int64_t m, int64_t n, bool accumulate) const {
    const auto largest = [](const float* p, int64_t count) {
      float most = 0;
      for (int64_t i = 0; i < count; ++i) most = std::max(most, std::fabs(p[i]));
      return most;
    };
    const float *row = &x[size_t(m * s.k)], *weight = &w[size_t(n * s.k)];
    const float tx = largest(row, s.k), tw = largest(weight, s.k);
    int64_t high = 0, low = 0;
    for (int64_t k = 0; k < s.k; ++k) {
      const auto u = int64_t(std::nearbyint(row[k] * (32767.0f / tx))) + 32768;
      const auto q = int64_t(std::nearbyint(weight[k] * (127.0f / tw)));
      high += ((u >> 8) - 128) * q;
      low += (u & 255) * q;
    }
    const float sum = std::fma(256.0f, float(high), float(low));
    const float scale = (tx / 32767.0f) * (tw / 127.0f);
    return accumulate ? std::fma(sum, scale, y[size_t(m * s.n + n)]) : sum * scale;
  }
  std::vector<float> exact(bool accumulate) const {
    std::vector<float> out;
    for (int64_t m = 0; m < s.m; ++m)
      for (int64_t n = 0; n < s.n; ++n) out.push_back(exact(m, n, accumulate));
    return out;
  }
};

TEST_CASE("int8: the product is the exact sum of integers, to the bit, everywhere") {
  uint32_t seed = 1;
  for (const Sizes& s : kSizes)
    for (bool accumulate : {false, true}) {
      Case c(s, seed += 10);
      const std::vector<float> y = c.exact(accumulate);
      ReferenceOps reference;
      const std::vector<float> expected = c.forward(reference, false, accumulate);
      CAPTURE(s.m);
      CAPTURE(s.n);
      CAPTURE(s.k);
      CAPTURE(accumulate);
      for_each_table([&](Ops& ops) {
        CHECK(same_bits(c.forward(ops, false, accumulate), y));
        CHECK(same_bits(c.forward(ops, true, accumulate), y));
        CHECK(nmse(y, expected) < 1e-9);
      });
    }
}

TEST_CASE("int8: near the product in full, whatever the size of single inputs") {
  Case c({9, 80, 512}, 41);
  // A few channels a hundred times the others', as residual streams have.
  for (size_t m = 0; m < 9; ++m)
    for (const size_t k : {7, 130, 400}) c.x[m * 512 + k] *= 100;
  std::vector<float> full(c.y.size());
  ReferenceOps().linear({matrix(c.x.data(), 9, 512), matrix(c.w.data(), 80, 512),
                         matrix(full.data(), 9, 80), nullptr, false});
  CpuOps ops(*available_kernels().front(), 1);
  CHECK(nmse(c.forward(ops, true, false), full) < 1e-4);  // (1/127/√12 · 3)² of the weights
}

TEST_CASE("int8: a row alone has the bits it has in a batch") {
  check_rows_alone(Precision::int8, 61);
}

TEST_CASE("int8: rows of zeros are zero, rows that are not finite are NaN, others untouched") {
  Case c({3, 4, 20}, 9);
  std::fill_n(c.w.begin(), 20, 0.0f);
  c.w[2 * 20 + 3] = INFINITY;
  c.w[3 * 20] = NAN;
  std::fill_n(c.x.begin(), 20, 0.0f);
  c.x[20 + 19] = NAN;
  for_each_table([&](Ops& ops) {
    const std::vector<float> y = c.forward(ops, true, false);
    CHECK(y[0] == 0);
    CHECK(y[1] == 0);
    CHECK(std::isnan(y[2]));
    for (size_t n = 0; n < 4; ++n) CHECK(std::isnan(y[4 + n]));
    CHECK(y[8] == 0);
    CHECK(y[9] == c.exact(2, 1, false));
    CHECK(std::isnan(y[10]));
    CHECK(std::isnan(y[11]));
  });
}

TEST_CASE("int8: the largest sums do not overflow") {
  const int64_t k = kInt8Depth;
  Case c({1, 1, k}, 3);
  std::fill(c.x.begin(), c.x.end(), 1.0f);
  std::fill(c.w.begin(), c.w.end(), -2.0f);
  for_each_table([&](Ops& ops) {
    CHECK(c.forward(ops, true, false)[0] == doctest::Approx(-2.0 * double(k)).epsilon(1e-6));
  });
}

TEST_CASE(
    "int8: the backward is the product with the values of the integers, in stretches or not") {
  // The last size is more than one stretch of rows.
  for (const Sizes& s : {Sizes{3, 65, 33}, Sizes{9, 40, 130}, Sizes{2, 300, 5000}}) {
    std::vector<float> w = random_floats(size_t(s.n * s.k), 3, 0.1f);
    std::vector<float> dy = random_floats(size_t(s.m * s.n), 4);
    const auto run = [&](Ops& ops, bool packed, bool accumulate) {
      std::vector<float> dx =
          accumulate ? random_floats(size_t(s.m * s.k), 5) : poisoned(size_t(s.m * s.k));
      const auto pack = packed ? ops.pack(int8(w, s.n, s.k)) : nullptr;
      Tensor weight = int8(w, s.n, s.k);
      if (pack) weight.data = nullptr;  // the pack is all there is
      ops.linear_backward_input({matrix(dy.data(), s.m, s.n), weight, matrix(dx.data(), s.m, s.k),
                                 accumulate, pack.get()});
      return dx;
    };
    // The same from the pack's values, in double.
    const auto product = [&](bool accumulate) {
      CpuOps ops(*available_kernels().front(), 1);
      std::vector<float> values(w.size());
      ops.pack(int8(w, s.n, s.k))->values(0, s.n, values.data());
      std::vector<float> dx = random_floats(size_t(s.m * s.k), 5);
      for (int64_t m = 0; m < s.m; ++m)
        for (int64_t k = 0; k < s.k; ++k) {
          double sum = accumulate ? dx[size_t(m * s.k + k)] : 0.0;
          for (int64_t n = 0; n < s.n; ++n)
            sum += double(dy[size_t(m * s.n + n)]) * values[size_t(n * s.k + k)];
          dx[size_t(m * s.k + k)] = float(sum);
        }
      return dx;
    };
    for (const bool accumulate : {false, true}) {
      ReferenceOps reference;
      const std::vector<float> expected = run(reference, false, accumulate);
      const std::vector<float> exact = product(accumulate);
      // An integer at a tie may be the next one in double: in the smallest of these matrices one
      // such weight of 2,145 is (most / 127)² / σ² / 2,145 ≈ 4e-7.
      CHECK(nmse(exact, expected) < 1e-6);
      std::vector<float> first;
      for_each_table([&](Ops& ops) {
        const std::vector<float> dx = run(ops, true, accumulate);
        // fp32 sums of at most 300 products: about 300 / 2 · 2⁻⁴⁸ ≈ 5e-13.
        CHECK(nmse(dx, exact) < 1e-11);
        if (s.k < 5000) CHECK(same_bits(run(ops, false, accumulate), dx));
        if (first.empty()) first = dx;
        CHECK(same_bits(dx, first));
      });
    }
    // The values themselves: a row's q·s, with x of the forward a multiple of one unit.
    CpuOps ops(*available_kernels().front(), 1);
    const auto pack = ops.pack(int8(w, s.n, s.k));
    std::vector<float> values(size_t(2 * s.k));
    pack->values(1, 2, values.data());
    int wrong = 0;
    for (int64_t r = 0; r < 2; ++r) {
      const float* row = &w[size_t((r + 1) * s.k)];
      float most = 0;
      for (int64_t k = 0; k < s.k; ++k) most = std::max(most, std::fabs(row[k]));
      for (int64_t k = 0; k < s.k; ++k)
        wrong += values[size_t(r * s.k + k)] !=
                 float(std::nearbyint(row[k] * (127.0f / most))) * (most / 127.0f);
    }
    CHECK(wrong == 0);
    const auto f32 = ops.pack(matrix(w.data(), s.n, s.k));
    CHECK_THROWS_AS(f32->values(0, 1, values.data()), std::logic_error);
  }
}

TEST_CASE("int8: the backward of a weight without rows is zero") {
  for_each_table([&](Ops& ops) {
    std::vector<float> dy, w, dx = poisoned(2 * 5), sum(2 * 5, 3.0f);
    ops.linear_backward_input({matrix(dy.data(), 2, 0), int8(w, 0, 5), matrix(dx.data(), 2, 5)});
    CHECK(dx == std::vector<float>(2 * 5, 0.0f));
    ops.linear_backward_input(
        {matrix(dy.data(), 2, 0), int8(w, 0, 5), matrix(sum.data(), 2, 5), true});
    CHECK(sum == std::vector<float>(2 * 5, 3.0f));
  });
}

TEST_CASE("int8: a pack of another precision and a weight without any values are refused") {
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<float> w = random_floats(64 * 64, 1), x = random_floats(64, 2), y(64);
  const auto f32 = ops.pack(matrix(w.data(), 64, 64)), small = ops.pack(int8(w, 64, 64));
  CHECK(small->bytes() == 64 * 64 + 64 * 8);
  const Tensor in = matrix(x.data(), 1, 64), out = matrix(y.data(), 1, 64);
  CHECK_THROWS_WITH_AS(ops.linear({in, int8(w, 64, 64), out, f32.get(), false}),
                       doctest::Contains("is not this backend's pack of w"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(ops.linear({in, matrix(w.data(), 64, 64), out, small.get(), false}),
                       doctest::Contains("is not this backend's pack of w"), std::invalid_argument);
  CHECK_THROWS_WITH_AS(ops.linear_backward_input({in, int8(w, 64, 64), out, false, f32.get()}),
                       doctest::Contains("is not this backend's pack of w"), std::invalid_argument);
  Tensor nothing = int8(w, 64, 64);
  nothing.data = nullptr;
  CHECK_THROWS_WITH_AS(ops.linear({in, nothing, out, nullptr, false}),
                       doctest::Contains("has no data"), std::invalid_argument);
  std::vector<float> deep(kInt8Depth + 1);
  CHECK_THROWS_WITH_AS(ops.pack(int8(deep, 1, kInt8Depth + 1)), doctest::Contains("at most 65536"),
                       std::invalid_argument);
}

TEST_CASE("int8: an engine scores what it samples, packed or not, and refuses to train") {
  const ModelConfig config = tiny_model();
  const std::vector<int32_t> prompt{5, 9, 2, 40};
  std::vector<float> drawn;
  for (const int threads : {1, 3}) {
    Engine engine(config, {.threads = threads, .precision = Precision::int8});
    engine.initialize({.seed = 7, .std = 0.2});
    GenerateRequest request;
    request.prompt = prompt;
    request.max_new_tokens = 20;
    const auto results = engine.generate(
        std::span(&request, 1), {}, [](int64_t) {}, AbortFlag());
    std::vector<int32_t> whole = prompt;
    whole.insert(whole.end(), results[0].tokens.begin(), results[0].tokens.end());
    const std::vector<int32_t> cu{0, int32_t(whole.size())};
    BatchArguments batch;
    batch.tokens = whole;
    batch.cu_seqlens = cu;
    const TokenValues scored = engine.forward(batch, "policy", false, nullptr, AbortFlag());
    CHECK(same_bits({scored.logprobs.begin() + 4, scored.logprobs.end()}, results[0].logprobs));
    if (threads == 1) drawn = results[0].logprobs;
    CHECK(same_bits(drawn, results[0].logprobs));

    Engine fresh(config, {.threads = threads, .precision = Precision::int8});
    fresh.initialize({.seed = 7, .std = 0.2});
    CHECK(same_bits(fresh.forward(batch, "policy", false, nullptr, AbortFlag()).logprobs,
                    scored.logprobs));
    const std::vector<float> coef(whole.size(), 0.0f);
    CHECK_THROWS_WITH_AS(engine.forward_backward(batch, coef, {}, AbortFlag()),
                         doctest::Contains("float32 or bfloat16 to train"), std::invalid_argument);
  }
}

TEST_CASE("int8: under adapters the integers are all there is, sampled and trained alike") {
  for (const bool tied : {false, true}) {
    ModelConfig config = tiny_model();
    config.tie_word_embeddings = tied;
    EngineOptions options{.threads = 1, .precision = Precision::int8};
    options.lora = {.rank = 3, .scale = 2, .targets = {"q_proj", "v_proj", "o_proj", "down_proj"}};
    Engine engine(config, options);
    const std::vector<int32_t> tokens{5, 9, 2, 40, 7, 57, 3}, cu{0, 7};
    BatchArguments batch;
    batch.tokens = tokens;
    batch.cu_seqlens = cu;
    const auto score = [&] {
      return engine.forward(batch, "policy", false, nullptr, AbortFlag()).logprobs;
    };
    CHECK_THROWS_WITH_AS(score(), doctest::Contains("q_proj.weight' has no values yet"),
                         std::invalid_argument);
    engine.initialize({.seed = 7, .std = 0.2});
    engine.initialize({.seed = 8, .std = 0.2}, true);
    const std::string name = "model.layers.1.mlp.up_proj.weight";
    const std::vector<float> before = engine.read_parameter(name);
    const std::vector<float> first = score();
    for (int step = 0; step < 3; ++step) {
      std::vector<float> coef(tokens.size(), -1.0f);
      coef[0] = 0;
      const TokenValues values = engine.forward_backward(batch, coef, {}, AbortFlag());
      if (step == 0) CHECK(same_bits(values.logprobs, first));
      engine.optimizer_step({.learning_rate = 1e-2f});
    }
    const std::vector<float> last = score();
    CHECK(std::accumulate(last.begin() + 1, last.end(), 0.0) >
          std::accumulate(first.begin() + 1, first.end(), 0.0));
    CHECK(same_bits(engine.read_parameter(name), before));
    // A byte a weight and 4 of the embedding; all in fp32 would be 4 · fp32.total().
    const ParameterLayout fp32(config, options.lora);
    CHECK(engine.memory_use().parameters <
          2 * (fp32.total() + 3 * config.vocab_size * config.hidden_size));
    // Half of a matrix is none; all of it is.
    const std::string gate = "model.layers.1.mlp.gate_proj.weight";
    const std::vector<float> other = engine.read_parameter(gate);
    engine.write_parameter(gate, other);
    CHECK_THROWS_WITH_AS(score(), doctest::Contains("up_proj.weight' has no values yet"),
                         std::invalid_argument);
    engine.write_parameter(name, before);
    // The integers of these values are the same, but for the last bits of a row's scale.
    const std::vector<float> again = score();
    for (size_t t = 1; t < tokens.size(); ++t) CHECK(again[t] == doctest::Approx(last[t]));
  }
}

}  // namespace
}  // namespace kogrpo
