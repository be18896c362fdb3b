// The summed gradient, its norm, AdamW and a saved state among 1 to 4 ranks: the same bits as among
// any other number, and close to one process that knows no ranks.
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "comm_testing.h"
#include "doctest/doctest.h"
#include "engine/engine.h"

using namespace kogrpo;
using kogrpo::testing::on_ranks;
using kogrpo::testing::SharedStore;

namespace {

constexpr int kMicroBatches = 5, kTokens = 6;

ModelConfig tiny() {
  ModelConfig c;
  c.vocab_size = 97;
  c.hidden_size = 32;
  c.intermediate_size = 64;
  c.num_layers = 2;
  c.num_heads = 2;
  c.num_kv_heads = 1;
  c.head_dim = 16;
  c.rope_theta = 10000;
  c.tie_word_embeddings = true;
  return c;
}

struct Result {
  std::vector<float> weights;
  std::vector<double> norms;
  int64_t moments = 0;
};

void backward(Engine& engine, int micro_batch) {
  std::vector<int32_t> tokens(kTokens), cu{0, kTokens};
  for (int t = 0; t < kTokens; ++t) tokens[size_t(t)] = (7 * micro_batch + 3 * t * t + 1) % 97;
  std::vector<float> coef(kTokens, -0.1f);
  coef[0] = 0;
  engine.forward_backward({tokens, cu, {}}, coef, {}, AbortFlag());
}

std::unique_ptr<Engine> engine() {
  EngineOptions options;
  options.threads = 1;
  auto e = std::make_unique<Engine>(tiny(), options);
  e->initialize({1, 0.1, 0.0});
  return e;
}

std::vector<float> weights(Engine& e) {
  std::vector<float> all;
  for (const Parameter& p : e.layout().all()) {
    const auto values = e.read_parameter(p.name);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

const OptimizerArguments kStep{0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.5f};

void train(Engine& e, Result& result, int steps, int from = 0) {
  const int size = e.ranks().communicator().size(), rank = e.ranks().communicator().rank();
  for (int step = from; step < from + steps; ++step) {
    const std::string label = "step " + std::to_string(step);
    for (int turn = 0; turn < kMicroBatches; turn += size) {
      e.begin_turn(std::min(size, kMicroBatches - turn),
                   "gradients, " + label + ", turn " + std::to_string(turn));
      if (turn + rank < kMicroBatches) backward(e, 10 * step + turn + rank);
      e.accumulate();
    }
    result.norms.push_back(e.optimizer_step(kStep, "update, " + label));
  }
  result.weights = weights(e);
  result.moments = e.memory_use().moments;
}

// Rank 0's result; every rank must have the same weights.
Result among(int size, Shard shard, int steps, const std::string& load = "",
             const std::string& save = "") {
  std::vector<Result> all(static_cast<size_t>(size));
  const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
    Result& mine = all[size_t(c->rank())];
    auto e = engine();
    e->join(std::move(c), shard);
    if (!load.empty()) e->load_state(load);
    train(*e, mine, steps, load.empty() ? 0 : 2);
    if (!save.empty()) e->save_state(save);
    e->ranks().communicator().barrier("end");
  });
  CHECK(errors == std::vector<std::string>(size_t(size), ""));
  for (const Result& r : all) CHECK(r.weights == all[0].weights);
  return all[0];
}

}  // namespace

TEST_CASE("data parallel: weights and norms do not depend on ranks or sharding, to the bit") {
  const Result one = among(1, Shard::none, 3);
  CHECK(one.norms[0] > 0.5);  // it is clipped
  for (int size = 1; size <= (has_gloo() ? 4 : 1); ++size) {
    for (const Shard shard : {Shard::none, Shard::optimizer, Shard::gradients}) {
      CAPTURE(size);
      const Result r = among(size, shard, 3);
      CHECK(r.weights == one.weights);
      CHECK(r.norms == one.norms);
      const double share = double(r.moments) / double(one.moments);
      if (shard == Shard::none)
        CHECK(share == 1);
      else
        CHECK(share == doctest::Approx(1.0 / size).epsilon(0.1));
    }
  }
}

TEST_CASE("data parallel: close to one process without ranks, whose sums associate otherwise") {
  auto alone = engine();
  std::vector<double> norms;
  for (int step = 0; step < 3; ++step) {
    for (int i = 0; i < kMicroBatches; ++i) backward(*alone, 10 * step + i);
    norms.push_back(alone->optimizer_step(kStep));
  }
  const Result ranked = among(has_gloo() ? 3 : 1, Shard::optimizer, 3);
  for (size_t i = 0; i < norms.size(); ++i)
    CHECK(ranked.norms[i] == doctest::Approx(norms[i]).epsilon(1e-5));
  const std::vector<float> expected = weights(*alone);
  double difference = 0, size = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(double(expected[i]) - double(ranked.weights[i]), 2);
    size += std::pow(double(expected[i]), 2);
  }
  CHECK(std::sqrt(difference / size) < 1e-5);
}

TEST_CASE("data parallel: a state saved by 4 ranks is taken up by 1, 2 and 3, and without ranks") {
  if (!has_gloo()) return;
  const std::string path = "/tmp/kogrpo-test-" + std::to_string(::getpid()) + ".bin";
  const Result whole = among(4, Shard::optimizer, 4);
  among(4, Shard::optimizer, 2, "", path);
  for (int size = 1; size <= 3; ++size) {
    CAPTURE(size);
    CHECK(among(size, Shard::optimizer, 2, path).weights == whole.weights);
    CHECK(among(size, Shard::none, 2, path).weights == whole.weights);
  }
  auto alone = engine();
  alone->load_state(path);
  CHECK(alone->memory_use().moments == 2 * alone->layout().total() * int64_t(sizeof(float)));
  std::remove(path.c_str());
}
