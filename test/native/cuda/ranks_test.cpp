// Ranks on GPUs: gradients, their norm, AdamW, saved states and generation of 1, 2 and 4 ranks
// under every sharding, to the bit those of one. In the emulation ranks are threads, each with an
// emulated GPU's stream beside its operations, over a stand-in for NCCL that moves data; on a GPU
// one rank goes the same way over the real library.

#include <doctest/doctest.h>

#include "comm/nccl_api.h"
#include "gpu_engine.h"
#include "ranks_testing.h"

using namespace kogrpo;
using namespace kogrpo::testing;

namespace {

#if defined(KOGRPO_EMULATION)
constexpr int kMostRanks = kSanitized ? 2 : 4;
#else
constexpr int kMostRanks = 1;  // of one GPU
#endif
constexpr int kMicroBatches = 3;

struct Case {
  Precision precision = Precision::bf16;
  MomentType moments = MomentType::eight_bit;
  bool tied = false;
  LoraConfig lora = {};
  std::vector<std::string> names = {};  // of what is trained; empty: everything, or the adapters
};

std::unique_ptr<Engine> open(const Case& c) {
  EngineOptions options{.device = "cuda", .threads = 1, .precision = c.precision};
  options.deterministic = true;
  options.moments = c.moments;
  options.use.training = true;
  options.lora = c.lora;
  auto engine = random_engine(tiny_gpu_model(3, 32, c.tied), options);
  if (c.lora.rank > 0) engine->initialize({.seed = 6}, true);
  return engine;
}

// Whether NCCL can be loaded here; where not, one rank goes without it.
bool has_nccl() {
  const NcclStatus status = nccl_status();
  static bool told = false;
  if (!std::exchange(told, true)) MESSAGE("NCCL ", status.text);
  return status.usable;
}

// What each rank threw. The others are told of one that does.
std::vector<std::string> on_gpus(int size,
                                 const std::function<void(std::unique_ptr<Communicator>)>& work) {
  name_stand_ins();
  const bool nccl = has_nccl();
  return on_threads(size, [&](int rank, const std::shared_ptr<MemoryStore>& store) {
    try {
      const auto device = open_device("cuda", true, 1);  // current for this thread
      work(nccl ? make_nccl(rank, size, store, {.patience_s = 0.1}) : make_single());
    } catch (...) {
      store->shared().leave(rank);
      throw;
    }
  });
}

struct Result {
  std::vector<float> weights, losses;
  std::vector<double> norms;
  std::vector<int32_t> sampled;
  std::vector<uint8_t> saved;
  MemoryUse use;
};

// What a file of weights has, of adapters where there are some: gathered block by block.
std::vector<uint8_t> saved(Engine& e, const Case& c) {
  std::vector<std::string> names;
  for (const Parameter& p : e.layout().all())
    if (p.adapter == (c.lora.rank > 0)) names.push_back(p.name);
  const auto blocks = e.snapshot_parameters(names, DType::f32, true, "a file of weights");
  return {blocks[0].data(), blocks[0].data() + blocks[0].size()};
}

std::vector<int32_t> sample(Engine& e) {
  e.hold_weights(false, "weights to sample from");
  GenerateRequest r;
  r.prompt = {3, 14, 15, 9};
  r.max_new_tokens = 6;
  r.sampling.seed = 3;
  return generate(e, {r})[0].tokens;
}

void step(Engine& e, int number, Result& result) {
  const std::string label = "step " + std::to_string(number);
  for (const float loss : gradients(e, number, kMicroBatches, label)) result.losses.push_back(loss);
  result.norms.push_back(e.optimizer_step(kStep, "update, " + label));
}

// Rank 0's result; every rank must have the same weights and sample the same.
Result among(int size, Shard shard, const Case& c, int steps, int from = 0,
             const std::string& load = "", const std::string& save = "") {
  std::vector<Result> all(static_cast<size_t>(size));
  const auto errors = on_gpus(size, [&](std::unique_ptr<Communicator> communicator) {
    Result& mine = all[size_t(communicator->rank())];
    const auto e = open(c);
    e->join(std::move(communicator), shard);
    if (!c.names.empty()) e->set_trainable(c.names, {});
    if (!load.empty()) e->load_state(load);
    for (int i = from; i < from + steps; ++i) step(*e, i, mine);
    if (!save.empty()) {
      e->update_slot("ref", 1);
      e->save_state(save);
    }
    mine.use = e->memory_use();
    mine.saved = saved(*e, c);
    mine.weights = whole_weights(*e);
    mine.sampled = sample(*e);
    e->ranks().communicator().barrier("end");
  });
  CHECK(errors == std::vector<std::string>(size_t(size), ""));
  for (const Result& r : all) {
    CHECK(r.weights == all[0].weights);
    CHECK(r.sampled == all[0].sampled);
    CHECK(r.saved == all[0].saved);
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
  for (const Case& c : combinations<Case>({{Precision::bf16, MomentType::bf16, true},
                                           {Precision::f32, MomentType::f32, true},
                                           {}})) {
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
        CHECK(r.saved == one.saved);
        if (shard == Shard::none) continue;
        CHECK(double(r.use.moments) / double(one.use.moments) ==
              doctest::Approx(1.0 / size).epsilon(0.1));
      }
  }
}

TEST_CASE("ranks on cuda: a part of the model is trained with its weights in pieces") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("kogrpo-parts-" + std::to_string(::getpid())))
          .string();
  const std::string layer = "model.layers.1.";
  for (const Case& c : {Case{.lora = {.rank = 8, .scale = 2, .targets = {"k_proj", "down_proj"}}},
                        Case{.names = {layer + "self_attn.v_proj.weight",
                                       layer + "mlp.down_proj.weight", "model.norm.weight"}}}) {
    CAPTURE(int(c.names.size()));
    const Result one = among(1, Shard::none, c, 2);
    for (const int size : sizes()) {
      CAPTURE(size);
      const Result r = among(size, Shard::parameters, c, 2);
      CHECK(r.weights == one.weights);
      CHECK(r.norms == one.norms);
      CHECK(r.sampled == one.sampled);
      CHECK(r.saved == one.saved);
    }
    const int most = sizes().back();
    among(most, Shard::parameters, c, 1, 0, "", path);
    CHECK(among(1, Shard::none, c, 1, 1, path).weights == one.weights);
    CHECK(among(most, Shard::parameters, c, 1, 1, path).weights == one.weights);
    std::filesystem::remove(path);
    for (int rank = 0; rank < most; ++rank) std::filesystem::remove(part_path(path, rank, most));
    if (kSanitized) break;
  }
}

TEST_CASE("ranks on cuda: near one process without ranks, which sums in the device's type") {
  const Case c{Precision::f32, MomentType::f32, false};
  const Result ranked = among(sizes().back(), Shard::gradients, c, 2);
  check_near(*open(c), kMicroBatches, ranked.norms, ranked.weights);
}

TEST_CASE("ranks on cuda: a state is taken up by any number of ranks under any sharding") {
  const TemporaryDirectory directory;
  const std::string path = directory / "state", one = directory / "one",
                    again = directory / "again";
  for (const MomentType moments :
       combinations({MomentType::bf16, MomentType::f32, MomentType::eight_bit})) {
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
      alone->save_state(again);
      among(1, Shard::none, c, 2, 0, "", one);
      CHECK(content(one).size() > 10000);
      CHECK(content(one) == content(again));
    }
  }
}

#if defined(KOGRPO_EMULATION)

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
      nccl_trace(rank);
      Result result;
      e->begin_turn(1, "turn");
      if (rank == 0) backward(*e, 1);
      e->accumulate();
      e->optimizer_step(kStep, "update");
      e->ranks().communicator();
      traces[size_t(rank)] = nccl_trace(rank);
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
