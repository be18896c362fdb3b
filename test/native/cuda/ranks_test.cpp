// Ranks on GPUs: gradients, their norm, AdamW, saved states and generation of 1, 2 and 4 ranks
// under every sharding, to the bit those of one. In the emulation ranks are threads, each with an
// emulated GPU's stream beside its operations, over a stand-in for NCCL that moves data; on a GPU
// one rank goes the same way over the real library.

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "comm/nccl_api.h"
#include "comm_testing.h"
#include "engine/engine.h"
#include "tiny_model.h"

using namespace kogrpo;
using kogrpo::testing::MemoryStore;
using kogrpo::testing::SharedStore;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#if defined(KOGRPO_EMULATION)
constexpr int kMostRanks = kSanitized ? 2 : 4;
#else
constexpr int kMostRanks = 1;  // of one GPU
#endif
constexpr int kMicroBatches = 3, kTokens = 9;

constexpr std::array kShards{Shard::none, Shard::optimizer, Shard::gradients, Shard::parameters};

struct Case {
  Precision precision = Precision::bf16;
  MomentType moments = MomentType::eight_bit;
  bool tied = false;
};

// Before any rank's thread begins, whose getenv() must not meet a setenv().
void name_stand_ins() {
#if defined(KOGRPO_EMULATION)
  setenv("KOGRPO_CUBLASLT_LIB", KOGRPO_FAKE_CUBLASLT, 1);
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
#endif
}

std::unique_ptr<Engine> open(const Case& c) {
  EngineOptions options{.device = "cuda", .threads = 1, .precision = c.precision};
  options.deterministic = true;
  options.moments = c.moments;
  options.use.training = true;
  auto engine = std::make_unique<Engine>(kogrpo::testing::tiny_gpu_model(3, 32, c.tied), options);
  engine->initialize({.seed = 5, .std = 0.12, .norm_scale = 0.1});
  return engine;
}

// Whether NCCL can be loaded here; where not, one rank goes without it.
bool has_nccl() {
  const NcclStatus status = nccl_status();
  static bool told = false;
  if (!std::exchange(told, true)) MESSAGE("NCCL ", status.text);
  return status.usable;
}

using Work = std::function<void(std::unique_ptr<Communicator>)>;

// What each rank threw.
std::vector<std::string> on_gpus(int size, const Work& work) {
  name_stand_ins();
  const auto shared = std::make_shared<SharedStore>();
  const bool nccl = has_nccl();
  std::vector<std::string> errors(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      try {
        const auto device = open_device("cuda", true, 1);  // current for this thread
        const auto store = std::make_shared<MemoryStore>(shared, size);
        work(nccl ? make_nccl(rank, size, store, {.patience_s = 0.1}) : make_single());
      } catch (const std::exception& e) {
        errors[static_cast<size_t>(rank)] = e.what();
        const std::lock_guard lock(shared->mutex);
        if (shared->absent < 0) shared->absent = rank;
        shared->changed.notify_all();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return errors;
}

struct Result {
  std::vector<float> weights, losses;
  std::vector<double> norms;
  std::vector<int32_t> sampled;
  MemoryUse use;
};

float backward(Engine& engine, int micro_batch, float coefficient = -0.1f) {
  std::vector<int32_t> tokens(kTokens), cu{0, kTokens};
  for (int t = 0; t < kTokens; ++t) tokens[size_t(t)] = (7 * micro_batch + 3 * t * t + 1) % 88;
  std::vector<float> coef(kTokens, coefficient);
  coef[0] = 0;
  const TokenValues values = engine.forward_backward({tokens, cu, {}}, coef, {}, AbortFlag());
  float loss = 0;
  for (const float x : values.logprobs) loss -= x;
  return loss;
}

std::vector<float> weights(Engine& e) {
  e.hold_weights(false, "weights to look at");
  std::vector<float> all;
  for (const Parameter& p : e.layout().all()) {
    const auto values = e.read_parameter(p.name);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::vector<int32_t> sample(Engine& e) {
  e.hold_weights(false, "weights to sample from");
  GenerateRequest r;
  r.prompt = {3, 14, 15, 9};
  r.max_new_tokens = 6;
  r.sampling.seed = 3;
  return e
      .generate(
          std::vector{r}, {}, [](int64_t) {}, AbortFlag())[0]
      .tokens;
}

const OptimizerArguments kStep{0.01f, 0.9f, 0.99f, 1e-8f, 0.1f, 0.5f};

void step(Engine& e, int number, Result& result) {
  const int size = e.ranks().size(), rank = e.ranks().rank();
  const std::string label = "step " + std::to_string(number);
  for (int turn = 0; turn < kMicroBatches; turn += size) {
    e.begin_turn(std::min(size, kMicroBatches - turn),
                 "gradients, " + label + ", turn " + std::to_string(turn));
    if (turn + rank < kMicroBatches)
      result.losses.push_back(backward(e, 10 * number + turn + rank));
    e.accumulate();
  }
  result.norms.push_back(e.optimizer_step(kStep, "update, " + label));
}

void look(Engine& e, Result& result) {
  result.use = e.memory_use();
  result.weights = weights(e);
  result.sampled = sample(e);
}

// Rank 0's result; every rank must have the same weights and sample the same.
Result among(int size, Shard shard, const Case& c, int steps, int from = 0,
             const std::string& load = "", const std::string& save = "") {
  std::vector<Result> all(static_cast<size_t>(size));
  const auto errors = on_gpus(size, [&](std::unique_ptr<Communicator> communicator) {
    Result& mine = all[size_t(communicator->rank())];
    const auto e = open(c);
    e->join(std::move(communicator), shard);
    if (!load.empty()) e->load_state(load);
    for (int i = from; i < from + steps; ++i) step(*e, i, mine);
    if (!save.empty()) {
      e->update_slot("ref", 1);
      e->save_state(save);
    }
    look(*e, mine);
    e->ranks().communicator().barrier("end");
  });
  CHECK(errors == std::vector<std::string>(size_t(size), ""));
  for (const Result& r : all) {
    CHECK(r.weights == all[0].weights);
    CHECK(r.sampled == all[0].sampled);
  }
  return all[0];
}

std::vector<int> sizes() {
  if (kMostRanks == 1) return {1};
  return kMostRanks == 2 ? std::vector{1, 2} : std::vector{1, 2, 4};
}

}  // namespace

TEST_CASE(
    "ranks on cuda: weights, norms and completions do not depend on their number or sharding") {
  for (const Case& c : {Case{}, Case{Precision::bf16, MomentType::bf16, true},
                        Case{Precision::f32, MomentType::f32, true}}) {
    CAPTURE(int(c.precision));
    CAPTURE(int(c.moments));
    const Result one = among(1, Shard::none, c, 2);
    CHECK(one.norms[0] > 0.5);  // it is clipped
    // 8-bit moments for every number of ranks, the others for the largest.
    for (const int size :
         c.moments == MomentType::eight_bit ? sizes() : std::vector{sizes().back()})
      for (const Shard shard : kShards) {
        CAPTURE(size);
        CAPTURE(int(shard));
        const Result r = among(size, shard, c, 2);
        CHECK(r.weights == one.weights);
        CHECK(r.norms == one.norms);
        CHECK(r.losses[0] == one.losses[0]);
        CHECK(r.sampled == one.sampled);
        if (shard == Shard::none) continue;
        CHECK(double(r.use.moments) / double(one.use.moments) ==
              doctest::Approx(1.0 / size).epsilon(0.1));
      }
    if (kSanitized) break;
  }
}

TEST_CASE("ranks on cuda: near one process without ranks, which sums in the device's type") {
  const Case c{Precision::f32, MomentType::f32, false};
  name_stand_ins();
  const auto alone = open(c);
  std::vector<double> norms;
  for (int s = 0; s < 2; ++s) {
    for (int i = 0; i < kMicroBatches; ++i) backward(*alone, 10 * s + i);
    norms.push_back(alone->optimizer_step(kStep));
  }
  const Result ranked = among(sizes().back(), Shard::gradients, c, 2);
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

TEST_CASE("ranks on cuda: a state is taken up by any number of ranks under any sharding") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("kogrpo-ranks-" + std::to_string(::getpid())))
          .string();
  for (const MomentType moments : {MomentType::eight_bit, MomentType::bf16, MomentType::f32}) {
    CAPTURE(int(moments));
    const Case c{Precision::bf16, moments, false};
    const Result whole = among(1, Shard::none, c, 3);
    for (const Shard saved : {Shard::parameters, Shard::optimizer}) {
      CAPTURE(int(saved));
      among(sizes().back(), saved, c, 2, 0, "", path);
      for (const int size : sizes()) {
        const Shard shard = size == 1   ? Shard::none
                            : size == 2 ? Shard::parameters
                                        : Shard::gradients;
        CAPTURE(size);
        CHECK(among(size, shard, c, 1, 2, path).weights == whole.weights);
      }
      // And by a process without ranks, with the slot that was saved.
      const auto alone = open(c);
      alone->load_state(path);
      alone->save_state(path + "-again");
      among(1, Shard::none, c, 2, 0, "", path + "-one");
      std::ifstream a(path + "-one", std::ios::binary), b(path + "-again", std::ios::binary);
      const std::string first{std::istreambuf_iterator<char>(a), {}},
          second{std::istreambuf_iterator<char>(b), {}};
      CHECK(first.size() > 10000);
      CHECK(first == second);
      std::filesystem::remove(path + "-one");
      std::filesystem::remove(path + "-again");
    }
    if (kSanitized) break;
  }
  std::filesystem::remove(path);
  for (int rank = 0; rank < sizes().back(); ++rank)
    std::filesystem::remove(part_path(path, rank, sizes().back()));
}

#if defined(KOGRPO_EMULATION)

namespace {

std::string trace(int rank) {
  const std::shared_ptr<void> library(dlopen(KOGRPO_FAKE_NCCL, RTLD_NOW),
                                      [](void* l) { dlclose(l); });
  return reinterpret_cast<const char* (*)(int)>(dlsym(library.get(), "fake_nccl_trace"))(rank);
}

}  // namespace

// Bytes a rank, of 2-byte gradients: of the head with the final norm (5,632 + 64 elements, each
// aligned to 256) the longer of two pieces has 3,072, of a layer (43,008 of products and 4 norms)
// 22,016, of the embedding (5,632) 2,816.
TEST_CASE("ranks on cuda: the collectives of a step, in order and the same on every rank") {
  const std::string gradients = "x 6144\nx 44032\nx 44032\nx 44032\nx 5632\n";
  for (const Shard shard : kShards) {
    CAPTURE(int(shard));
    std::vector<std::string> traces(2);
    const auto errors = on_gpus(2, [&](std::unique_ptr<Communicator> communicator) {
      const int rank = communicator->rank();
      const auto e = open({});
      e->join(std::move(communicator), shard);
      trace(rank);
      Result result;
      e->begin_turn(1, "turn");
      if (rank == 0) backward(*e, 1);
      e->accumulate();
      e->optimizer_step(kStep, "update");
      e->ranks().communicator();
      traces[size_t(rank)] = trace(rank);
    });
    CHECK(errors == std::vector<std::string>(2, ""));
    CHECK(traces[0] == traces[1]);
    MESSAGE(traces[0]);
    if (shard <= Shard::gradients) CHECK(traces[0].starts_with(gradients));
  }
}

// Before the others' transfers, and in the middle of them: then they are under way and would never
// end.
TEST_CASE("ranks on cuda: a rank that stops is named to the others with the collective") {
  for (const bool midway : {false, true}) {
    const auto errors = on_gpus(2, [&](std::unique_ptr<Communicator> communicator) {
      const int rank = communicator->rank();
      const auto e = open({});
      e->join(std::move(communicator), Shard::gradients);
      Result result;
      step(*e, 0, result);
      e->begin_turn(1, "gradients, step 1");
      if (rank == 1) {
        if (midway) e->ranks().exchange(e->ranks().partition().units().size() - 1, nullptr);
        throw std::runtime_error("killed");
      }
      backward(*e, 1);
      e->accumulate();
      e->optimizer_step(kStep, "update, step 1");
    });
    CHECK(errors[1] == "killed");
    CHECK(errors[0] == (midway ? "gradients, step 1, part 2 of 5: explained: rank 1 is dead"
                               : "gradients, step 1, part 1 of 5: rank 1 is dead"));
  }
}

#endif
