// The engine's parts that TypeScript cannot see: files, pages, batches. Whole models are tested
// from TypeScript (test/engine).

#include "engine/engine.h"

#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "engine/kv_cache.h"
#include "engine/rewrite.h"
#include "engine/tensor_file.h"
#include "engine_testing.h"
#include "op_testing.h"
#include "ops/xxh64.h"

using namespace kogrpo;
using testing::sequence;
using testing::tiny_model;

namespace {

struct TemporaryFile {
  testing::TemporaryDirectory directory;
  std::string path = directory / "file";
};

}  // namespace

TEST_CASE("tensor files: bf16 rounds to nearest even and comes back; f16 is read exactly") {
  const TemporaryFile file;
  const std::vector<uint8_t> header{1, 2, 3};  // odd on purpose: data is not aligned
  const std::vector<float> values{1.0f,   -2.5f,    1.00390625f, 1.01171875f, 3.3e38f,
                                  1e-40f, INFINITY, -0.0f,       0.1f};
  {
    TensorFileWriter writer(file.path, header);
    writer.append(values.data(), static_cast<int64_t>(values.size()), DType::bf16);
    writer.append(values.data(), static_cast<int64_t>(values.size()), DType::f32);
    writer.finish();
  }
  std::vector<float> back(values.size());
  read_tensor(file.path, 3, DType::bf16, back.data(), static_cast<int64_t>(back.size()));
  // 1.00390625 = 1 + 2^-8 lies half way: to even (1.0); 1.01171875 = 1 + 3·2^-8: to even (1 +
  // 2^-6).
  CHECK(back[0] == 1.0f);
  CHECK(back[1] == -2.5f);
  CHECK(back[2] == 1.0f);
  CHECK(back[3] == 1.015625f);
  CHECK(std::isinf(back[6]));
  CHECK(std::signbit(back[7]));
  CHECK(std::fabs(back[8] / 0.1f - 1) < 0x1p-8);
  read_tensor(file.path, 3 + 2 * 9, DType::f32, back.data(), static_cast<int64_t>(back.size()));
  CHECK(testing::same_bits(back, values));

  const std::vector<uint16_t> halves{0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000};
  std::ofstream(file.path, std::ios::binary)
      .write(reinterpret_cast<const char*>(halves.data()), 12);
  back.resize(6);
  read_tensor(file.path, 0, DType::f16, back.data(), 6);
  CHECK(back == std::vector<float>{1.0f, -2.0f, 0x1p-24f, 65504.0f, INFINITY, -0.0f});
}

TEST_CASE("tensor files: a range outside the file is an error that names it, nothing is read") {
  const TemporaryFile file;
  std::ofstream(file.path, std::ios::binary) << "0123456789";
  float out[4] = {7, 7, 7, 7};
  CHECK_THROWS_WITH_AS(read_tensor(file.path, 4, DType::f32, out, 2),
                       doctest::Contains("truncated"), IoError);
  CHECK_THROWS_AS(read_tensor(file.path, -1, DType::f32, out, 1), IoError);
  CHECK_THROWS_AS(read_tensor(file.path, INT64_MAX, DType::f32, out, 1), IoError);
  CHECK_THROWS_AS(read_tensor(file.path, 0, DType::f32, out, INT64_MAX), IoError);
  CHECK_THROWS_WITH_AS(read_tensor(file.path + ".no", 0, DType::f32, out, 1),
                       doctest::Contains(".no"), IoError);
  CHECK(out[0] == 7);
}

TEST_CASE("tensor files: one that was not finished is not left behind") {
  const TemporaryFile file;
  {
    TensorFileWriter writer(file.path, {});
    const float x = 1;
    writer.append(&x, 1, DType::f32);
  }
  CHECK_FALSE(std::filesystem::exists(file.path));
}

TEST_CASE("tensor files: one whose header does not fit on the disk is not left behind either") {
  const TemporaryFile file;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto signal = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::vector<uint8_t> header(16);
  CHECK_THROWS_AS(TensorFileWriter(file.path, header), IoError);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, signal);
  CHECK_FALSE(std::filesystem::exists(file.path));
}

TEST_CASE("tensor files: what is not written as f32 or bf16 is refused, not written otherwise") {
  const float x = 1;
  for (const DType type : {DType::f16, DType::i32})
    CHECK_THROWS_AS(encode_tensor(&x, 1, type, [](const void*, size_t) { FAIL("written"); }),
                    std::invalid_argument);
}

TEST_CASE("config: a head of labels counts among the parameters") {
  ModelConfig config = tiny_model();
  config.num_labels = INT32_MAX;
  CHECK_NOTHROW(check_config(config));
  config.hidden_size =
      int64_t{1} << 30;  // 2^61 values of the head: in bytes more than 64 bits hold
  CHECK_THROWS_WITH_AS(check_config(config), doctest::Contains("more than 2^46 parameters"),
                       std::invalid_argument);
}

TEST_CASE("tensor files: rewritten, rows scaled, in blocks, and nothing left behind on an error") {
  const TemporaryFile file;
  const std::string copy = file.path + "-copy";
  // More rows than a block of 4 Mi elements holds.
  const int64_t rows = 3, cols = int64_t{3} << 20;
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1021) - 500;
  {
    TensorFileWriter writer(file.path, std::vector<uint8_t>{9});
    writer.append(values.data(), rows * cols, DType::f32);
    writer.finish();
  }
  int tensors = 0;
  const std::vector<TensorSource> sources = {
      {file.path, 1, DType::f32, rows, cols, {1.0f, 0.5f, 0.3f}},
      {file.path, 1 + 4 * cols, DType::f32, 1, 7, {}}};
  rewrite_tensors(
      copy, {}, sources, DType::f32, [&] { ++tensors; }, AbortFlag());
  CHECK(tensors == 2);
  std::vector<float> back(values.size() + 7);
  read_tensor(copy, 0, DType::f32, back.data(), static_cast<int64_t>(back.size()));
  const float factors[] = {1.0f, 0.5f, 0.3f};
  int64_t wrong = 0;
  for (size_t i = 0; i < values.size(); ++i)
    wrong += back[i] != values[i] * factors[i / static_cast<size_t>(cols)];
  CHECK(wrong == 0);
  CHECK(back.back() == values[static_cast<size_t>(cols) + 6]);
  std::filesystem::remove(copy);

  std::vector<TensorSource> bad = sources;
  bad[0].row_scale.pop_back();
  CHECK_THROWS_WITH_AS(rewrite_tensors(
                           copy, {}, bad, DType::f32, [] {}, AbortFlag()),
                       "rowScale must have one element per row (3), not 2", std::invalid_argument);
  bad = {{file.path, 1, DType::f32, 4, cols, {}}};
  CHECK_THROWS_WITH_AS(rewrite_tensors(
                           copy, {}, bad, DType::f32, [] {}, AbortFlag()),
                       doctest::Contains("truncated"), IoError);
  // Of a tensor of three rows one is copied, and the mean of the others goes behind it.
  std::vector<TensorSource> mean = {{file.path, 1, DType::f32, 1, cols, {}}};
  mean[0].further = {{1, 2}, {0, 2}, {0}, {}, 3};
  rewrite_tensors(
      copy, {}, mean, DType::f32, [] {}, AbortFlag());
  back.resize(static_cast<size_t>(2 * cols));
  read_tensor(copy, 0, DType::f32, back.data(), 2 * cols);
  const auto at = [&](int64_t row) { return double(values[static_cast<size_t>(row * cols)]); };
  CHECK(back[static_cast<size_t>(cols)] == static_cast<float>((at(1) + at(2)) / 2));
  std::filesystem::remove(copy);
  const auto refused = [&](const FurtherRows& further, const char* why) {
    mean[0].further = further;
    CHECK_THROWS_WITH_AS(rewrite_tensors(
                             copy, {}, mean, DType::f32, [] {}, AbortFlag()),
                         why, std::invalid_argument);
    CHECK_FALSE(std::filesystem::exists(copy));
  };
  // What lies behind the tensor in its file is another's.
  refused({{0, 2}, {0, 2}, {0}, {}, 2}, "further: id 2 is none of the tensor's 2 rows");
  refused({{-1}, {0, 1}, {0}, {}, 2}, "further: id -1 is none of the tensor's 2 rows");
  refused({{0}, {0, 1}, {0}, {}, 0},
          "further: height must be the tensor's rows, at least the 1 that are copied");
  mean[0].further = {{0}, {0, 1}, {0}, {}, 4};
  CHECK_THROWS_WITH_AS(rewrite_tensors(
                           copy, {}, mean, DType::f32, [] {}, AbortFlag()),
                       doctest::Contains("truncated"), IoError);
  CHECK_FALSE(std::filesystem::exists(copy));
}

TEST_CASE(
    "key/value pages: shared ones are freed with their last owner, clones hold the contents") {
  const ModelConfig config = tiny_model();
  const auto device = make_cpu_device(1);
  KvCache cache(*device, config, DType::f32);
  cache.reserve(4);
  const int32_t a = cache.allocate();
  float* keys = cache.layer(1, nullptr, 0).keys + a * cache.page_elements();
  keys[5] = 42;
  const int32_t b = cache.clone(a);
  CHECK(cache.layer(1, nullptr, 0).keys[b * cache.page_elements() + 5] == 42);
  cache.share(a);
  cache.release(a);
  CHECK(cache.available() == 2);
  cache.release(a);
  CHECK(cache.available() == 3);
  CHECK_THROWS_AS(cache.reserve(10), std::logic_error);
  cache.release(b);
  cache.reserve(10);
  CHECK(cache.available() == 10);
  CHECK(cache.page_bytes() == 2 * config.num_layers * config.kv_size() * kPageTokens * 4);
  KvCache narrow(*device, config, DType::bf16);
  CHECK(narrow.page_bytes() == cache.page_bytes() / 2);
  CHECK(narrow.layer(0, nullptr, 0).type == DType::bf16);
}

TEST_CASE("generation: small memory, any number running and chunk give the same completions") {
  Engine engine(tiny_model(), {.threads = 2});
  engine.initialize({.seed = 3, .std = 0.15});
  std::vector<GenerateRequest> requests;
  for (int p = 0; p < 5; ++p)
    for (uint64_t g = 0; g < 4; ++g) {
      GenerateRequest r;
      r.prompt = sequence(3 + p * 37, p);
      r.max_new_tokens = 20 + 10 * p;
      r.stop_tokens = {7};
      r.sampling.seed = 9;
      r.sampling.stream = static_cast<uint64_t>(p) * 4 + g;
      requests.push_back(r);
    }
  const AbortFlag abort;
  const auto run = [&](GenerateOptions options) {
    return engine.generate(
        requests, options, [](int64_t) {}, abort);
  };
  const auto expected = run({});
  const int64_t page_bytes = 2 * 16 * kPageTokens * 2 * 2 * 4;
  for (const GenerateOptions& options :
       {GenerateOptions{.max_sequences = 1}, GenerateOptions{.max_sequences = 3, .prefill_rows = 5},
        GenerateOptions{.max_cache_bytes = 5 * page_bytes}}) {
    const auto results = run(options);
    for (size_t i = 0; i < results.size(); ++i) {
      CHECK(results[i].tokens == expected[i].tokens);
      CHECK(testing::same_bits(results[i].logprobs, expected[i].logprobs));
    }
  }
  CHECK_THROWS_WITH_AS(run({.max_cache_bytes = page_bytes}), doctest::Contains("maxCacheBytes"),
                       std::invalid_argument);
}

TEST_CASE("engine: an aborted forward throws and leaves the engine usable") {
  Engine engine(tiny_model(), {.threads = 1});
  engine.initialize({.seed = 1, .std = 0.1});
  const std::vector<int32_t> tokens = sequence(10, 1), cu{0, 10};
  AbortFlag abort;
  abort.set();
  int64_t handle = 0;
  CHECK_THROWS_AS(engine.forward({tokens, cu, {}}, "policy", false, &handle, abort), Aborted);
  const TokenValues values = engine.forward({tokens, cu, {}}, "policy", false, &handle, {});
  CHECK(values.logprobs[0] == 0);
  CHECK(values.logprobs[9] < 0);
}

TEST_CASE("engine: a handle whose weights have changed since is refused, and freed all the same") {
  Engine engine(tiny_model(), {.threads = 1});
  engine.initialize({1, 0.1, 0.0});
  const std::vector<int32_t> tokens{1, 2, 3, 4, 5}, cu{0, 5};
  const std::vector<float> coef{0, -1, -1, -1, -1};
  const auto pass = [&] {
    int64_t handle = 0;
    engine.forward({tokens, cu, {}}, "policy", true, &handle, {});
    return handle;
  };
  const auto refused = [&](int64_t handle) {
    CHECK_THROWS_WITH_AS(engine.backward(handle, coef, {}, {}),
                         doctest::Contains("is of weights that have changed since"),
                         std::invalid_argument);
    CHECK(engine.read_gradient("model.embed_tokens.weight") ==
          std::vector<float>(engine.read_parameter("model.embed_tokens.weight").size()));
    engine.release(handle);
    engine.set_logit_scale({});  // refused while one is kept
  };
  int64_t kept = pass();
  engine.forward_backward({tokens, cu, {}}, coef, {}, {});
  engine.optimizer_step({.learning_rate = 0.1f});
  refused(kept);
  kept = pass();
  engine.write_parameter("model.norm.weight", engine.read_parameter("model.norm.weight"));
  refused(kept);
  // What leaves the weights as they are leaves the pass good: scoring, a slot, other gradients.
  kept = pass();
  engine.update_slot("ref", 1);
  engine.forward({tokens, cu, {}}, "ref", false, nullptr, {});
  engine.forward_backward({tokens, cu, {}}, coef, {}, {});
  engine.zero_gradients();
  CHECK_NOTHROW(engine.backward(kept, coef, {}, {}));
}

TEST_CASE("engine: a handle is used up by a backward that was aborted half way") {
  Engine engine(tiny_model(), {.threads = 1, .recompute = true});
  engine.initialize({.seed = 1, .std = 0.1});
  const std::vector<int32_t> tokens = sequence(10, 1), cu{0, 10};
  std::vector<float> coef(10, 0.5f);
  coef[0] = 0;
  int64_t handle = 0;
  engine.forward({tokens, cu, {}}, "policy", true, &handle, {});
  CHECK_THROWS_WITH_AS(engine.backward(handle, std::span(coef).first(9), {}, {}),
                       doctest::Contains("coef must have"), std::invalid_argument);
  AbortFlag abort;
  abort.set();
  CHECK_THROWS_AS(engine.backward(handle, coef, {}, abort), Aborted);
  CHECK_THROWS_WITH_AS(engine.backward(handle, coef, {}, {}), doctest::Contains("is unknown"),
                       std::invalid_argument);
}

TEST_CASE("engine: a slot follows the policy by the mix-up rule") {
  Engine engine(tiny_model(), {.threads = 1});
  engine.initialize({.seed = 1, .std = 0.1});
  const std::string name = "model.norm.weight";
  const std::vector<int32_t> tokens = sequence(10, 1), cu{0, 10};
  const auto score = [&](const std::string& slot) {
    int64_t handle = 0;
    return engine.forward({tokens, cu, {}}, slot, false, &handle, {}).logprobs;
  };
  engine.update_slot("ref", 0.25f);  // the first update copies, whatever alpha
  CHECK(testing::same_bits(score("ref"), score("policy")));
  std::vector<float> doubled = engine.read_parameter(name);
  for (float& x : doubled) x *= 2;
  const auto before = score("policy");
  engine.write_parameter(name, doubled);
  CHECK(testing::same_bits(score("ref"), before));
  engine.update_slot("ref", 0.25f);
  for (float& x : doubled) x *= 0.625f;  // (1 − ¼)·1 + ¼·2 of the original
  engine.write_parameter(name, doubled);
  CHECK(testing::nmse(score("ref"), score("policy")) < 1e-12);
  CHECK_THROWS_AS(engine.update_slot("policy", 1), std::invalid_argument);
  CHECK_THROWS_AS(engine.update_slot(std::string(65, 'r'), 1), std::invalid_argument);

  // A state holds the slots, mixed as they are; loading it replaces those that there were.
  const TemporaryFile file;
  const auto mixed = score("ref");
  engine.save_state(file.path);
  engine.write_parameter(name, doubled);
  engine.update_slot("ref", 1);
  engine.update_slot("ema", 1);
  engine.load_state(file.path);
  CHECK(testing::same_bits(score("ref"), mixed));
  CHECK_THROWS_WITH_AS(score("ema"), doctest::Contains("ema"), std::invalid_argument);
}

TEST_CASE("engine: a snapshot has the bytes of a saved state") {
  Engine engine(tiny_model(), {.threads = 2});
  engine.initialize({.seed = 4, .std = 0.1});
  const std::vector<int32_t> tokens = sequence(20, 1), cu{0, 20};
  std::vector<float> coef(20, 0.5f);
  coef[0] = 0;
  engine.forward_backward({tokens, cu, {}}, coef, {}, {});
  engine.optimizer_step({.learning_rate = 0.01f});
  engine.update_slot("ref", 1);
  const TemporaryFile file;
  engine.save_state(file.path);
  std::string copied;
  for (const Buffer<uint8_t>& block : engine.snapshot_state())
    copied.append(reinterpret_cast<const char*>(block.data()), block.size());
  CHECK(copied == testing::content(file.path));
}

TEST_CASE("engine: digests tell whether the sampler has the present weights") {
  CHECK(xxh64("", 0) == 0xEF46DB3751D8E999u);
  CHECK(xxh64("abc", 3) == 0x44BC2CF5AD770999u);
  CHECK(xxh64("Nobody inspects the spammish repetition", 39) == 0xFBCEA83C8A378BF1u);
  Engine engine(tiny_model(), {.threads = 2});
  engine.initialize({.seed = 4, .std = 0.1});
  const WeightDigests before = engine.weight_digests();
  CHECK(before.sampler == 0);
  GenerateRequest request;
  request.prompt = {1, 2, 3};
  request.max_new_tokens = 2;
  engine.generate(std::vector{request}, {}, [](int64_t) {}, {});
  const WeightDigests sampled = engine.weight_digests();
  CHECK(sampled.parameters == before.parameters);
  CHECK(sampled.sampler != 0);
  CHECK(sampled.sampler == sampled.expected);
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  std::vector<float> changed = engine.read_parameter(name);
  changed[5] += 1;
  engine.write_parameter(name, changed);
  engine.generate(std::vector{request}, {}, [](int64_t) {}, {});
  const WeightDigests after = engine.weight_digests();
  CHECK(after.parameters != sampled.parameters);
  CHECK(after.sampler != sampled.sampler);
  CHECK(after.sampler == after.expected);
}

TEST_CASE("engine: a trace names the first tensor that is not finite") {
  Engine engine(tiny_model(), {.threads = 1, .recompute = true});
  engine.initialize({.seed = 1, .std = 0.1});
  const std::vector<int32_t> tokens = sequence(14, 1), cu{0, 6, 14};
  const BatchArguments batch{tokens, cu, {}};
  CHECK_FALSE(engine.trace(batch, "policy", {}));
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  std::vector<float> weights = engine.read_parameter(name);
  weights[0] = INFINITY;
  engine.write_parameter(name, weights);
  const auto found = engine.trace(batch, "policy", {});
  REQUIRE(found);
  CHECK(found->tensor.find("model.layers.1.mlp.down_proj") == 0);
  CHECK(found->row == 0);
  CHECK(found->column == 0);
  CHECK(found->count == 14);
  // A token whose embedding is broken, in the second sequence alone.
  weights[0] = 0;
  engine.write_parameter(name, weights);
  std::vector<float> embedding = engine.read_parameter("model.embed_tokens.weight");
  const int64_t h = engine.config().hidden_size;
  embedding[static_cast<size_t>(tokens[9] * h + 3)] = NAN;
  engine.write_parameter("model.embed_tokens.weight", embedding);
  const auto token = engine.trace(batch, "policy", {});
  REQUIRE(token);
  CHECK(token->tensor == "model.embed_tokens (residual stream)");
  CHECK(tokens[static_cast<size_t>(token->row)] == tokens[9]);
  CHECK(token->column == 3);
}

TEST_CASE("engine: a gradient that is not finite moves nothing") {
  Engine engine(tiny_model(), {.threads = 1});
  engine.initialize({.seed = 1, .std = 0.1});
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  std::vector<float> broken = engine.read_parameter("model.norm.weight");
  const std::vector<float> before = engine.read_parameter(name);
  broken[0] = NAN;
  engine.write_parameter("model.norm.weight", broken);
  const std::vector<int32_t> tokens = sequence(10, 1), cu{0, 10};
  std::vector<float> coef(10, 1.0f);
  coef[0] = 0;
  engine.forward_backward({tokens, cu, {}}, coef, {}, {});
  CHECK_FALSE(std::isfinite(engine.optimizer_step({.learning_rate = 0.1f})));
  CHECK(testing::same_bits(engine.read_parameter(name), before));
}
