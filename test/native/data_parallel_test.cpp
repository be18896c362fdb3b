// The summed gradient, its norm, AdamW and a saved state among 1 to 4 ranks: the same bits as among
// any other number, and close to one process that knows no ranks.
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "doctest/doctest.h"
#include "ranks_testing.h"

using namespace kogrpo;
using namespace kogrpo::testing;

namespace {

constexpr int kMicroBatches = 5;

ModelConfig tiny(bool tied = true) {
  ModelConfig c = tiny_model();
  c.tie_word_embeddings = tied;
  return c;
}

struct Result {
  std::vector<float> weights;
  std::vector<double> norms;
  MemoryUse use;
};

std::unique_ptr<Engine> engine() {
  EngineOptions options;
  options.threads = 1;
  auto e = std::make_unique<Engine>(tiny(), options);
  e->initialize({1, 0.1, 0.0});
  return e;
}

void train(Engine& e, Result& result, int steps, int from = 0) {
  for (int step = from; step < from + steps; ++step) {
    const std::string label = "step " + std::to_string(step);
    gradients(e, step, kMicroBatches, label);
    result.norms.push_back(e.optimizer_step(kStep, "update, " + label));
  }
  result.use = e.memory_use();
  result.weights = whole_weights(e);
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
    for (const Shard shard : kShards) {
      CAPTURE(size);
      const Result r = among(size, shard, 3);
      CHECK(r.weights == one.weights);
      CHECK(r.norms == one.norms);
      const double share = double(r.use.moments) / double(one.use.moments);
      if (shard == Shard::none)
        CHECK(share == 1);
      else
        CHECK(share == doctest::Approx(1.0 / size).epsilon(0.1));
    }
  }
}

TEST_CASE("data parallel: a rank holds what partition and rooms say") {
  const Engine whole(tiny(), {.threads = 1});
  const int64_t all = whole.layout().total() * 4;
  const int64_t norm = tiny().hidden_size * 4, embed = tiny().vocab_size * norm,
                layer = (all - embed - norm) / 2;
  for (int size = 1; size <= (has_gloo() ? 4 : 1); ++size) {
    CAPTURE(size);
    const MemoryUse none = among(size, Shard::none, 1).use,
                    optimizer = among(size, Shard::optimizer, 1).use,
                    gradients = among(size, Shard::gradients, 1).use,
                    parameters = among(size, Shard::parameters, 1).use;
    const double share = double(all) / size;
    const auto near = [](double x) { return doctest::Approx(x).epsilon(0.1); };
    CHECK(none.parameters == all);
    CHECK(double(none.gradients) == near(double(all) + share));
    CHECK(none.moments == 2 * all);
    CHECK(double(optimizer.gradients) == near(double(all) + share));
    CHECK(double(optimizer.moments) == near(2 * share));
    CHECK(gradients.parameters == all);
    CHECK(double(gradients.gradients) == near(double(embed + norm + 2 * layer) + share));
    CHECK(double(gradients.moments) == near(2 * share));
    CHECK(double(parameters.parameters) == near(double(embed + norm + 2 * layer) + share));
    CHECK(double(parameters.gradients) == near(double(embed + norm + 2 * layer) + share));
    CHECK(double(parameters.moments) == near(2 * share));
  }
}

namespace {

// Rank 0 of 2, whose transfers end when they are let.
class Gate final : public Communicator {
 public:
  explicit Gate(std::shared_ptr<Store> store) : Communicator(0, 2, std::move(store)) {}
  std::string name() const override { return "gate"; }
  std::atomic<int> begun = 0, let = 0;

 private:
  void pass() {
    const int mine = ++begun;
    while (let < mine) std::this_thread::yield();
  }
  void do_all_reduce(float*, size_t) override { pass(); }
  void do_all_reduce(double*, size_t) override { pass(); }
  void do_all_gather(const void*, void*, size_t) override { pass(); }
  void do_all_to_all(const void*, void*, size_t) override { pass(); }
  void do_broadcast(void*, size_t, int) override { pass(); }
  std::vector<std::vector<uint8_t>> do_all_gather_bytes(std::span<const uint8_t>) override {
    return {};
  }
  void do_barrier() override { pass(); }
};

}  // namespace

TEST_CASE("data parallel: transfers go on beside the caller, one after the other, in order") {
  const auto store = std::make_shared<MemoryStore>(std::make_shared<SharedStore>(), 1);
  auto owned = std::make_unique<Gate>(store);
  Gate& gate = *owned;
  const auto device = open_device("cpu", false, 1);
  DataParallel ranks(std::move(owned), *device, DType::f32,
                     Partition({{{0, 256}, 0}, {{256, 512}, 1}}, 2), Shard::gradients);
  const std::vector<float> gradient(256, 1.0f);
  std::vector<float> whole(256);
  ranks.begin_turn(1, "turn");
  const uint64_t first = ranks.exchange(1, gradient.data());  // the second block is done first
  const uint64_t gathered =
      ranks.gather_ahead(ranks.partition(), 0, vector(const_cast<float*>(gradient.data()), 128),
                         vector(whole.data(), 256));
  CHECK(gathered == first + 1);
  while (gate.begun < 1) std::this_thread::yield();
  CHECK(gate.begun == 1);  // the caller is here, and the second waits for the first
  CHECK_THROWS_WITH(ranks.exchange(1, gradient.data()), doctest::Contains("one micro-batch"));
  gate.let = 1;
  ranks.wait(first);
  while (gate.begun < 2) std::this_thread::yield();
  gate.let = 3;
  ranks.exchange(0, gradient.data());
  ranks.end_turn();
  CHECK(gate.begun == 3);
}

TEST_CASE("data parallel: close to one process without ranks, whose sums associate otherwise") {
  const Result ranked = among(has_gloo() ? 3 : 1, Shard::optimizer, 3);
  check_near(*engine(), kMicroBatches, ranked.norms, ranked.weights);
}

TEST_CASE("data parallel: a state saved by 4 ranks is taken up by 1, 2 and 3, and without ranks") {
  if (!has_gloo()) return;
  const TemporaryDirectory directory;
  const std::string path = directory / "state.bin";
  const Result whole = among(4, Shard::optimizer, 4);
  among(4, Shard::parameters, 2, "", path);
  for (int size = 1; size <= 3; ++size) {
    CAPTURE(size);
    CHECK(among(size, Shard::optimizer, 2, path).weights == whole.weights);
    CHECK(among(size, Shard::none, 2, path).weights == whole.weights);
    CHECK(among(size, Shard::gradients, 2, path).weights == whole.weights);
    CHECK(among(size, Shard::parameters, 2, path).weights == whole.weights);
  }
  auto alone = engine();
  alone->load_state(path);
  CHECK(alone->memory_use().moments == 2 * alone->layout().total() * int64_t(sizeof(float)));
}

TEST_CASE(
    "data parallel: ranks write a state in parts, whose whole depends on nothing but the run") {
  if (!has_gloo()) return;
  const TemporaryDirectory directory;
  const std::string one = directory / "one.bin", again = directory / "again.bin";
  among(1, Shard::none, 2, "", one);
  const std::string expected = content(one);
  for (int size = 2; size <= 4; ++size)
    for (const Shard shard : kShards) {
      CAPTURE(size);
      CAPTURE(int(shard));
      const std::string path = directory / "several.bin";
      among(size, shard, 2, "", path);
      size_t longest = 0;
      for (int rank = 0; rank < size; ++rank)
        longest = std::max(longest, content(part_path(path, rank, size)).size());
      CHECK(double(longest) < 1.1 * double(expected.size()) / size);
      auto alone = engine();
      alone->load_state(path);
      alone->save_state(again);
      CHECK(content(again) == expected);
      for (int rank = 0; rank < size; ++rank) std::filesystem::remove(part_path(path, rank, size));
    }
}

TEST_CASE(
    "data parallel: a file of parameters is one block's gathering at a time, whoever writes it") {
  const TemporaryDirectory directory;
  std::vector<std::string> names;
  const auto alone = engine();
  int64_t largest = 0;
  std::vector<int64_t> block(static_cast<size_t>(alone->layout().blocks()));
  for (const Parameter& p : alone->layout().all()) {
    names.push_back(p.name);
    int64_t& bytes = block[static_cast<size_t>(p.block)];
    bytes += p.size() * 4;
    largest = std::max(largest, bytes);
  }
  const std::vector<uint8_t> header{1, 2, 3, 4};
  const std::string expected = directory / "alone";
  alone->save_parameters(expected, header, names, DType::bf16);
  for (int size = 1; size <= (has_gloo() ? 4 : 1); ++size) {
    CAPTURE(size);
    const std::string path = directory / "file";
    const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
      const bool last = c->rank() + 1 == size;
      auto e = engine();
      e->join(std::move(c), Shard::parameters);
      e->begin_turn(1, "weights into pieces");
      if (e->ranks().contributes()) backward(*e, 0);
      bool refused = false;
      try {
        e->save_parameters(path, header, names, DType::bf16, "in a turn");
      } catch (const std::invalid_argument&) {
        refused = true;
      }
      if (!refused) throw std::runtime_error("saved in a turn");
      e->accumulate();
      e->zero_gradients();
      const int64_t before = e->memory_use().parameters;
      e->save_parameters(last ? path : "", header, names, DType::bf16, "saving");
      const auto copy = e->snapshot_parameters(names, DType::f32, last, "a copy");
      if (copy.size() != (last ? 1 : 0)) throw std::runtime_error("another copy");
      // A file that cannot be made is told when the others are through.
      bool told = false;
      try {
        e->save_parameters(last ? directory / "no/file" : "", header, names, DType::f32, "no");
      } catch (const IoError&) {
        told = true;
      }
      if (told != last) throw std::runtime_error("a file that cannot be made");
      const MemoryUse use = e->memory_use();
      if (use.parameters != before || use.most_gathered != largest)
        throw std::runtime_error("gathers " + std::to_string(use.most_gathered));
      e->ranks().communicator().barrier("end");
    });
    CHECK(errors == std::vector<std::string>(size_t(size), ""));
    CHECK(content(path) == content(expected));
    std::filesystem::remove(path);
  }
}

TEST_CASE("data parallel: ranks score layer by layer, together, what one scores on whole weights") {
  const std::vector<int32_t> tokens{3, 1, 4, 1, 5, 9, 2, 6}, cu{0, 5, 8};
  const BatchArguments batch{tokens, cu, {}};
  for (const bool tied : {true, false})
    for (int size = 1; size <= (has_gloo() ? 4 : 1); ++size) {
      CAPTURE(tied);
      CAPTURE(size);
      const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
        const bool has_batch = size == 1 || c->rank() + 1 < size;
        Engine e(tiny(tied), {.threads = 1});
        e.initialize({1, 0.1, 0.0});
        e.join(std::move(c), Shard::parameters);
        e.update_slot("ref", 1);
        gradients(e, 0, 2, "step 0");
        e.optimizer_step(kStep, "update");
        std::vector<std::vector<float>> streamed, whole;
        // Twice under the policy: what the slot left in the rooms is not read for it.
        for (const char* const slot : {"policy", "ref", "policy"}) {
          const std::string label = "pass " + std::to_string(streamed.size());
          const TokenValues values =
              e.forward_streaming(has_batch ? &batch : nullptr, slot, label, AbortFlag());
          if (values.logprobs.size() != (has_batch ? tokens.size() : 0))
            throw std::runtime_error("another number of values");
          streamed.push_back(values.logprobs);
        }
        if (e.memory_use().most_gathered != 0) throw std::runtime_error("gathered whole");
        e.hold_weights(true, "weights to compare with");
        for (const char* const slot : {"policy", "ref", "policy"})
          whole.push_back(has_batch ? e.forward(batch, slot, false, nullptr, AbortFlag()).logprobs
                                    : std::vector<float>());
        if (streamed != whole) throw std::runtime_error("other values");
        if (has_batch && whole[0] == whole[1]) throw std::runtime_error("the same weights");
        e.ranks().communicator().barrier("end");
      });
      CHECK(errors == std::vector<std::string>(size_t(size), ""));
    }
}

TEST_CASE("data parallel: parts that are not one state are refused, and change nothing") {
  if (!has_gloo()) return;
  const TemporaryDirectory directory;
  const std::string path = directory / "state.bin", other = directory / "other.bin";
  among(2, Shard::parameters, 2, "", path);
  among(2, Shard::optimizer, 1, "", other);
  auto e = engine();
  const auto before = whole_weights(*e);
  const auto refused = [&](const std::string& why) {
    CHECK_THROWS_WITH_AS(e->load_state(path), doctest::Contains(why.c_str()), IoError);
    CHECK(whole_weights(*e) == before);
  };
  const std::string second = part_path(path, 1, 2), whole = content(second);
  const auto put = [&](const std::string& bytes) {
    std::ofstream(second, std::ios::binary) << bytes;
  };
  put(whole.substr(0, whole.size() - 4));
  refused("state.bin.2-of-2' is damaged");
  put(whole.substr(0, 20));
  refused("state.bin.2-of-2' is damaged: it is no part of a saved state");
  std::string header = whole;
  header[24] = char(0x7f);  // more ranges than there are
  put(header);
  refused("state.bin.2-of-2' is damaged");
  header = whole;
  header[32] = char(header[32] + 4);  // its first range elsewhere
  put(header);
  refused("is in ");
  put(content(part_path(path, 0, 2)));
  refused("is in two");
  put(content(part_path(other, 1, 2)));
  refused("is of step 1");
  among(2, Shard::optimizer, 2, "", other);
  put(content(part_path(other, 1, 2)));  // divided otherwise
  refused("is not of the same state");
  std::filesystem::remove(second);
  refused("state.bin.2-of-2");
  put(whole);
  std::ofstream(part_path(path, 0, 3)) << "x";
  refused("of 2 and of 3 ranks");
  std::filesystem::remove(part_path(path, 0, 3));
  e->load_state(path);
  CHECK(whole_weights(*e) != before);
  // As many files as a name says are not looked for: the first that is missing is told.
  for (int rank : {0, 1}) std::filesystem::remove(part_path(path, rank, 2));
  std::ofstream(part_path(path, 0, 2'000'000'000)) << content(part_path(other, 0, 2));
  CHECK_THROWS_WITH_AS(e->load_state(path), doctest::Contains("state.bin.2-of-2000000000"),
                       IoError);
}

TEST_CASE(
    "data parallel: a step that is dropped leaves nothing in the sum, on any number of ranks") {
  // Not finite by its loss (zero_gradients) or by one rank's gradient (optimizer_step says so).
  const auto after = [](int size, Shard shard, bool dropped) {
    std::vector<Result> all(static_cast<size_t>(size));
    const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
      Result& mine = all[size_t(c->rank())];
      auto e = engine();
      e->join(std::move(c), shard);
      train(*e, mine, 1);
      if (dropped) {
        gradients(*e, 1, kMicroBatches, "dropped by its loss");
        e->zero_gradients();
        gradients(*e, 1, kMicroBatches, "dropped by its gradient",
                  3e38f);  // overflows on its way back
        if (std::isfinite(e->optimizer_step(kStep, "dropped"))) throw std::runtime_error("finite");
      }
      train(*e, mine, 1, 2);
      e->ranks().communicator().barrier("end");
    });
    CHECK(errors == std::vector<std::string>(size_t(size), ""));
    for (const Result& r : all) CHECK(r.weights == all[0].weights);
    return all[0];
  };
  const Result never = after(1, Shard::none, false);
  for (int size = 1; size <= (has_gloo() ? 2 : 1); ++size)
    for (const Shard shard : kShards) {
      CAPTURE(size);
      const Result r = after(size, shard, true);
      CHECK(r.weights == never.weights);
      CHECK(r.norms == never.norms);
    }
}

namespace {

std::vector<GenerateRequest> requests_of(const ModelConfig& c) {
  std::vector<GenerateRequest> requests;
  for (int32_t g = 0; g < 7; ++g)
    for (int32_t i = 0; i < 2; ++i) {
      GenerateRequest r;
      for (int32_t t = 0; t < 3 + g % 3; ++t)
        r.prompt.push_back((11 * g + 5 * t + 1) % static_cast<int32_t>(c.vocab_size));
      r.max_new_tokens = 3 + 4 * (g % 4);
      r.sampling.seed = 5;
      r.sampling.stream = static_cast<uint64_t>(2 * g + i);
      r.stop_tokens = {7, 8, 9};
      requests.push_back(r);
    }
  return requests;
}

bool same(const GenerateResult& a, const GenerateResult& b) {
  return a.tokens == b.tokens && a.logprobs == b.logprobs && a.reason == b.reason;
}

}  // namespace

TEST_CASE(
    "data parallel: ranks sample layer by layer, in step, what one samples on whole weights") {
  for (const bool tied : {true, false})
    for (const Precision precision : {Precision::f32, Precision::bf16}) {
      CAPTURE(tied);
      ModelConfig config = tiny(tied);
      config.num_layers = 5;
      EngineOptions options;
      options.threads = 1;
      options.precision = precision;
      const auto requests = requests_of(config);
      Engine alone(config, options);
      alone.initialize({1, 0.1, 0.0});
      const auto expected = alone.generate(requests, {}, [](int64_t) {}, {});
      const double all = double(alone.layout().total()) * 4, norm = double(config.hidden_size) * 4;
      const double embed = double(config.vocab_size) * norm, outer = embed + norm;
      const double layer = (all - (tied ? 1 : 2) * embed - norm) / 5;
      for (int size = 1; size <= (has_gloo() ? 4 : 1); ++size) {
        CAPTURE(size);
        std::vector<int> samplers(requests.size(), -1);
        std::vector<GenerateResult> merged(requests.size());
        std::mutex mutex;
        const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
          const int rank = c->rank();
          Engine e(config, options);
          e.initialize({1, 0.1, 0.0});
          e.join(std::move(c), Shard::parameters);
          e.begin_turn(1, "weights into pieces");
          if (e.ranks().contributes()) backward(e, 0);
          e.accumulate();
          e.zero_gradients();
          GenerateOptions sampling;
          sampling.label = "sampling";
          sampling.group = 2;
          sampling.live = 2;
          int64_t held = 0;
          const auto own =
              e.generate(requests, sampling,
                         [&](int64_t) { held = std::max(held, e.memory_use().parameters); }, {});
          // Once more, all of it on the last rank: the others only take part.
          sampling.label = "sampling again";
          sampling.group = 0;
          const auto last = rank + 1 == size;
          const auto again = e.generate(last ? std::span<const GenerateRequest>(requests)
                                             : std::span<const GenerateRequest>(),
                                        sampling, [](int64_t) {}, {});
          {
            const std::lock_guard lock(mutex);
            for (size_t i = 0; i < own.size(); ++i) {
              if (!own[i].done) continue;
              if (samplers[i] >= 0) throw std::runtime_error("sampled twice");
              samplers[i] = rank;
              merged[i] = own[i];
            }
          }
          if (held > 0 && std::fabs(double(held) / (outer + 2 * layer + all / size) - 1) > 0.1)
            throw std::runtime_error("holds " + std::to_string(held));
          for (size_t i = 0; i < again.size(); ++i)
            if (!same(again[i], expected[i])) throw std::runtime_error("another completion");
          e.ranks().communicator().barrier("end");
        });
        CHECK(errors == std::vector<std::string>(size_t(size), ""));
        for (size_t i = 0; i < requests.size(); ++i) {
          CHECK(samplers[i] >= 0);
          CHECK(samplers[i] == samplers[i / 2 * 2]);  // a group is one rank's
          CHECK(same(merged[i], expected[i]));
        }
      }
    }
}

TEST_CASE("data parallel: an abort of one rank ends what ranks sample together, and they go on") {
  const auto requests = requests_of(tiny());
  const std::vector<int32_t> tokens{3, 1, 4, 1, 5, 9, 2, 6}, cu{0, 5, 8};
  const BatchArguments batch{tokens, cu, {}};
  Engine alone(tiny(), {.threads = 1});
  alone.initialize({1, 0.1, 0.0});
  const auto expected = alone.generate(requests, {}, [](int64_t) {}, {});
  const auto scored = alone.forward(batch, "policy", false, nullptr, {}).logprobs;
  for (int size = 1; size <= (has_gloo() ? 3 : 1); ++size) {
    CAPTURE(size);
    const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
      const int rank = c->rank(), last = size - 1;
      Engine e(tiny(), {.threads = 1});
      e.initialize({1, 0.1, 0.0});
      e.join(std::move(c), Shard::parameters);
      e.begin_turn(1, "weights into pieces");
      if (e.ranks().contributes()) backward(e, 0);
      e.accumulate();
      e.zero_gradients();
      GenerateOptions sampling;
      const auto generate = [&](const AbortFlag& abort, const std::function<void(int64_t)>& seen) {
        return e.generate(requests, sampling, seen, abort);
      };
      AbortFlag abort;
      sampling.label = "sampling";
      std::string why;
      try {
        // The last rank is asked to stop while a step is under way.
        generate(abort, [&](int64_t done) {
          if (rank == last && done > 1) abort.set();
        });
      } catch (const Aborted& error) {
        why = error.what();
      }
      const std::string by = " by rank " + std::to_string(last);
      if (why != "the operation was aborted" + (rank == last ? std::string() : by))
        throw std::runtime_error("ended with '" + why + "'");
      // A pass is made to its end, so that the others have theirs.
      try {
        const auto values = e.forward_streaming(&batch, "policy", "scoring", abort);
        if (rank == last || values.logprobs != scored) throw std::runtime_error("other values");
      } catch (const Aborted&) {
        if (rank != last) throw;
      }
      sampling.label = "sampling again";
      const auto again = generate({}, [](int64_t) {});
      for (size_t i = 0; i < again.size(); ++i)
        if (!same(again[i], expected[i])) throw std::runtime_error("another completion");
      if (e.forward_streaming(&batch, "policy", "scoring again", {}).logprobs != scored)
        throw std::runtime_error("other values");
      e.ranks().communicator().barrier("end");
    });
    CHECK(errors == std::vector<std::string>(size_t(size), ""));
  }
}

TEST_CASE("data parallel: groups that are claimed go to whoever has room, the weights whole") {
  if (!has_gloo()) return;
  const auto requests = requests_of(tiny());
  const auto expected = engine()->generate(requests, {}, [](int64_t) {}, {});
  std::vector<std::vector<GenerateResult>> own(3);
  const auto errors = on_ranks(3, [&](std::unique_ptr<Communicator> c, SharedStore&) {
    const auto rank = static_cast<size_t>(c->rank());
    auto e = engine();
    e->join(std::move(c), Shard::none);
    GenerateOptions sampling;
    sampling.label = "sampling";
    sampling.group = 2;
    // Two ranks do nothing before the first has finished everything.
    if (rank > 0) e->ranks().communicator().barrier("the first is done");
    own[rank] = e->generate(requests, sampling, [](int64_t) {}, {});
    if (rank == 0) e->ranks().communicator().barrier("the first is done");
    e->ranks().communicator().barrier("end");
  });
  CHECK(errors == std::vector<std::string>(3, ""));
  for (size_t i = 0; i < requests.size(); ++i) {
    CHECK(same(own[0][i], expected[i]));
    CHECK(!own[1][i].done);
    CHECK(!own[2][i].done);
  }
}

namespace {

// A model of which a part is trained: adapters, or parameters of `names` (`rows` of the first).
struct PartCase {
  const char* what;
  bool tied = true;
  Precision precision = Precision::f32;
  LoraConfig lora = {};
  std::vector<std::string> names = {};
  std::vector<int32_t> rows = {};
};

std::vector<PartCase> part_cases() {
  const LoraConfig lora{.rank = 3, .scale = 2, .targets = {"q_proj", "v_proj", "down_proj"}};
  const std::string layer = "model.layers.1.";
  return {{.what = "adapters", .lora = lora},
          {.what = "adapters over bf16", .tied = false, .precision = Precision::bf16, .lora = lora},
          {.what = "adapters over integers", .precision = Precision::int8, .lora = lora},
          {.what = "a layer",
           .names = {layer + "self_attn.v_proj.weight", layer + "mlp.down_proj.weight"}},
          {.what = "the norms and the embedding",
           .names = {"model.embed_tokens.weight", "model.norm.weight",
                     "model.layers.0.input_layernorm.weight"}},
          {.what = "the head", .tied = false, .names = {"lm_head.weight"}},
          {.what = "neurons",
           .tied = false,
           .names = {layer + "mlp.up_proj.weight", layer + "self_attn.o_proj.weight"},
           .rows = {1, 5, 40}}};
}

struct PartResult {
  std::vector<float> weights;
  std::vector<double> norms;
  std::vector<float> logprobs;  // under the policy, the base or a slot, at the end
  MemoryUse use;
};

std::unique_ptr<Engine> engine_of(const PartCase& part) {
  EngineOptions options;
  options.threads = 1;
  options.precision = part.precision;
  options.lora = part.lora;
  ModelConfig config = tiny();
  config.tie_word_embeddings = part.tied;
  auto e = std::make_unique<Engine>(config, options);
  e->initialize({1, 0.1, 0.1});
  if (part.lora.rank > 0) e->initialize({2, 0.1, 0.0}, true);
  return e;
}

// Rank 0's, after two steps of everything and, where parts are named, two of them.
PartResult train_part(const PartCase& part, int size, Shard shard, const std::string& load = "",
                      const std::string& save = "") {
  std::vector<PartResult> all(static_cast<size_t>(size));
  const auto errors = on_ranks(size, [&](std::unique_ptr<Communicator> c, SharedStore&) {
    PartResult& mine = all[size_t(c->rank())];
    auto e = engine_of(part);
    e->join(std::move(c), shard);
    const auto step = [&](int i) {
      const std::string label = "step " + std::to_string(i);
      gradients(*e, i, kMicroBatches, label);
      mine.norms.push_back(e->optimizer_step(kStep, "update, " + label));
    };
    const int from = load.empty() ? 0 : 2;
    if (!part.names.empty()) {
      if (from == 0) step(9);  // of everything
      e->hold_weights(false, "another part is trained");
      std::vector<TrainedPart> parts;
      if (!part.rows.empty()) parts.push_back({part.names[0], part.rows, {}});
      e->set_trainable(part.names, parts);
    }
    if (!load.empty()) e->load_state(load);
    if (load.empty()) e->update_slot("ref", 1);
    for (int i = from; i < from + 2; ++i) step(i);
    mine.use = e->memory_use();
    if (!save.empty()) e->save_state(save);
    e->hold_weights(true, "weights to look at");
    mine.weights = all_parameters(*e);
    const std::vector<int32_t> tokens{5, 17, 3, 60, 2}, cu{0, 5};
    for (const char* slot : {"policy", "ref", "base"}) {
      if (slot == std::string("base") && part.lora.rank == 0) continue;
      const auto values = e->forward({tokens, cu, {}}, slot, false, nullptr, AbortFlag()).logprobs;
      mine.logprobs.insert(mine.logprobs.end(), values.begin(), values.end());
    }
    e->ranks().communicator().barrier("end");
  });
  for (const std::string& error : errors) CHECK(error == std::string());
  for (const PartResult& r : all) CHECK(r.weights == all[0].weights);
  return all[0];
}

}  // namespace

TEST_CASE("data parallel: a part of the model is trained with its weights in pieces") {
  const TemporaryDirectory directory;
  for (const PartCase& part : part_cases()) {
    CAPTURE(std::string(part.what));
    const PartResult one = train_part(part, 1, Shard::none);
    // What is frozen is what it was, on any number of ranks: the same bits as one rank's below.
    const auto untouched = engine_of(part);
    if (part.lora.rank > 0) {
      std::vector<float> base;
      for (const Parameter& p : untouched->layout().all())
        if (!p.adapter) {
          const auto values = untouched->read_parameter(p.name);
          base.insert(base.end(), values.begin(), values.end());
        }
      CHECK(std::equal(base.begin(), base.end(), one.weights.begin()));
    }
    const std::string path = directory / "part.bin";
    const int most = has_gloo() ? 3 : 1;
    for (int size = 1; size <= most; ++size) {
      CAPTURE(size);
      const PartResult r = train_part(part, size, Shard::parameters, "", size == most ? path : "");
      CHECK(r.weights == one.weights);
      CHECK(r.norms == one.norms);
      CHECK(r.logprobs == one.logprobs);
      // Moments, the reference and what is no integer of the weights are divided.
      CHECK(double(r.use.moments) < 1.1 * double(one.use.moments) / size + 1024);
      CHECK(double(r.use.slots) < 1.1 * double(one.use.slots) / size + 1024);
    }
    if (!has_gloo()) continue;
    CHECK(train_part(part, 2, Shard::gradients).weights == one.weights);
    const PartResult resumed = train_part(part, 1, Shard::none, path);
    CHECK(train_part(part, 2, Shard::parameters, path).weights == resumed.weights);
    CHECK(resumed.weights != one.weights);
    for (int rank = 0; rank < most; ++rank) std::filesystem::remove(part_path(path, rank, most));
  }
}

TEST_CASE("data parallel: what is no part of a turn is refused, not left out of the sum") {
  for (const Shard shard : kShards) {
    CAPTURE(int(shard));
    auto e = engine();
    backward(*e, 0);  // before the ranks meet: nobody's
    e->join(make_single(), shard);
    const std::string name = "model.norm.weight";
    const auto refused = [](auto&& call, const char* why) {
      CHECK_THROWS_WITH_AS(call(), doctest::Contains(why), std::invalid_argument);
    };
    refused([&] { e->read_gradient(name); }, "no rank has the whole gradient");
    refused([&] { backward(*e, 0); }, "begin a turn first");
    e->begin_turn(1, "turn 1");
    backward(*e, 0);
    refused([&] { e->read_gradient(name); }, "no rank has the whole gradient");
    refused([&] { e->begin_turn(1, "turn 2"); }, "turn 1 is under way");
    refused([&] { e->optimizer_step(kStep, "update"); }, "turn 1 is under way");
    e->accumulate();
    const double norm = e->optimizer_step(kStep, "update");
    auto alone = engine();
    backward(*alone, 0);
    CHECK(norm == doctest::Approx(alone->optimizer_step(kStep)).epsilon(1e-6));
  }
}

TEST_CASE("data parallel: the parts of a state are found whatever its name says") {
  if (!has_gloo()) return;
  const TemporaryDirectory directory;
  const std::string path = directory / "2-of-3.bin";
  among(2, Shard::optimizer, 1, "", path);
  auto e = engine();
  e->load_state(path);
  CHECK(whole_weights(*e) == among(1, Shard::none, 1).weights);
  // A number that no int holds is no part's.
  std::ofstream(path + ".1-of-99999999999999999999") << "x";
  e->load_state(path);
}
