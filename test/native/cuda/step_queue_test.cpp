// Generation that does not wait for its tokens (ops/step_queue.h): the same completions as by steps
// that are waited for, which a request for log-probs brings about, whatever happens on the way; in
// the emulation with all work of the device done as late as the host's waits allow, and counted.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>

#include "gpu_engine.h"
#include "op_testing.h"

#if defined(KOGRPO_EMULATION)
#include "cuda/graph.h"
#endif

using namespace kogrpo;
using namespace kogrpo::testing;

namespace {

// Work of the device is done late while this lives.
struct Late {
#if defined(KOGRPO_EMULATION)
  Late() {
    emulation::defer(true);
  }
  ~Late() {
    emulation::defer(false);
  }
#endif
};

// Steps that are waited for have as many rows as there are sequences, the queue's a bucket's: of
// the true cuBLASLt that may be another algorithm, with other last bits. So bits are compared with
// our own products, where the fast attention kernels are meant, unless `library`.
std::unique_ptr<Engine> open(Precision precision, bool deterministic, int64_t head_dim = 32,
                             bool training = true, bool tied = true, bool library = false) {
  name_stand_ins();
#if !defined(KOGRPO_EMULATION)
  const Environment products("KOGRPO_CUBLASLT_LIB", library ? nullptr : "none");
#else
  static_cast<void>(library);  // the stand-in sums row by row
#endif
  EngineOptions options{.device = "cuda", .threads = 2, .precision = precision};
  options.deterministic = deterministic;
  options.use.training = training;
  return random_engine(tiny_gpu_model(2, head_dim, tied), options);
}

// Every kind of sampling, lengths from 1 on, pairs that share a prompt.
std::vector<GenerateRequest> requests(int n, int longest) {
  std::vector<GenerateRequest> all;
  for (int i = 0; i < n; ++i) {
    GenerateRequest r;
    r.prompt = sequence(5 + 9 * (i / 2), i / 2);
    r.max_new_tokens = 1 + (longest - 1) * (n - i) / n;
    r.sampling.seed = 3;
    r.sampling.stream = uint64_t(i);
    if (i % 4 == 1) r.sampling.temperature = 0;
    if (i % 4 == 2) r.sampling.top_k = 7, r.sampling.temperature = 0.7f;
    if (i % 4 == 3) r.sampling.top_p = 0.9f, r.sampling.min_p = 0.02f;
    all.push_back(r);
  }
  return all;
}

std::vector<GenerateResult> generate(Engine& e, std::vector<GenerateRequest> r, bool queued,
                                     GenerateOptions options = {}) {
  const Late late;
  for (GenerateRequest& one : r) one.logprobs = queued ? -1 : 0;
  return testing::generate(e, r, options);
}

void check_equal(const std::vector<GenerateResult>& a, const std::vector<GenerateResult>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(a[i].tokens == b[i].tokens);
    CHECK(same_bits(a[i].logprobs, b[i].logprobs));
    CHECK(a[i].reason == b[i].reason);
  }
}

// Stops in the middle of half of the completions.
void add_stops(std::vector<GenerateRequest>& r, const std::vector<GenerateResult>& results) {
  for (size_t i = 0; i < r.size(); i += 2)
    r[i].stop_tokens = {87, results[i].tokens[results[i].tokens.size() / 2]};
}

}  // namespace

TEST_CASE("step queue: completions are those of steps that are waited for") {
  struct Kind {
    Precision precision;
    bool deterministic;
    int64_t head_dim;
  };
  for (const Kind& kind : combinations<Kind>({{Precision::f32, true, 32},
                                              {Precision::bf16, false, 32},
                                              {Precision::bf16, false, 128},
                                              {Precision::bf16, true, 32}})) {
    CAPTURE(int(kind.precision));
    CAPTURE(kind.deterministic);
    CAPTURE(kind.head_dim);
    const auto engine = open(kind.precision, kind.deterministic, kind.head_dim);
    auto r = requests(6, 14);
    const auto plain = generate(*engine, r, false);
    check_equal(generate(*engine, r, true), plain);
    add_stops(r, plain);
    const auto stopped = generate(*engine, r, false);
    check_equal(generate(*engine, r, true), stopped);
    CHECK(std::any_of(stopped.begin(), stopped.end(),
                      [](const auto& s) { return s.reason == FinishReason::stop; }));
    // Two at a time: a finished sequence's place is taken by the next.
    check_equal(generate(*engine, r, true, {.max_sequences = 2, .prefill_rows = 16}), stopped);
  }
}

// What is first launched, then recorded, then played is the same plans of the same shapes.
TEST_CASE("step queue: a graph of cuBLASLt's products gives what they give one by one") {
  const auto engine = open(Precision::bf16, false, 32, false, true, true);
  const auto r = requests(6, 14);
  const auto first = generate(*engine, r, true);
  check_equal(generate(*engine, r, true), first);
  const auto plain = generate(*engine, r, false);
  for (size_t i = 0; i < r.size(); ++i)
    for (size_t t = 0; t < plain[i].tokens.size() && plain[i].tokens[t] == first[i].tokens[t]; ++t)
      CHECK(std::fabs(plain[i].logprobs[t] - first[i].logprobs[t]) <= 0.1f);
}

TEST_CASE("step queue: long contexts, in several parts of a row's keys" *
          doctest::skip(kSanitized)) {
  const auto engine = open(Precision::bf16, false);
  auto r = requests(2, 6);
  r[0].prompt = sequence(509, 1);  // the fourth token is the first of the second part
  check_equal(generate(*engine, r, true), generate(*engine, r, false));
}

TEST_CASE("step queue: training in between, so that memory moves, and the weights change") {
  const auto engine = open(Precision::bf16, true);
  const auto r = requests(4, 8);
  for (int step = 0; step < (kSanitized ? 1 : 3); ++step) {
    const auto plain = generate(*engine, r, false);
    check_equal(generate(*engine, r, true), plain);
    check_equal(generate(*engine, r, true), plain);  // by the same graphs
    std::vector<int32_t> tokens = r[0].prompt;
    tokens.insert(tokens.end(), plain[0].tokens.begin(), plain[0].tokens.end());
    const std::vector<int32_t> cu{0, int32_t(tokens.size())};
    std::vector<float> coef(tokens.size(), -0.1f);
    coef[0] = 0;
    engine->forward_backward({tokens, cu, {}, 1.0f, 0, {}}, coef, {}, {});
    engine->optimizer_step({.learning_rate = 3e-3f});
    CHECK(engine->forward_backward({tokens, cu, {}, 1.0f, 0, {}}, coef, {}, {}).logprobs[3] != 0);
    engine->optimizer_step({.learning_rate = 3e-3f});
  }
}

TEST_CASE("step queue: preemption, the prefix cache and cancellation") {
  const auto engine = open(Precision::bf16, true);
  const int64_t page = 2 * 2 * 32 * kPageTokens * 2 * 2;
  // Two grow into their third page at nearly the same step, and there is one.
  auto r = requests(3, kSanitized ? 8 : 12);
  r[0].prompt = sequence(124, 0), r[1].prompt = sequence(123, 1), r[2].prompt = sequence(70, 2);
  for (auto& one : r) one.max_new_tokens = r[0].max_new_tokens;
  const auto plain = generate(*engine, r, false);

  const Late late;
  const auto inbox =
      engine->serve_open({.max_sequences = 4, .prefill_rows = 256, .max_cache_bytes = 5 * page});
  const auto serve = [&](const std::vector<int64_t>& ids, int64_t cancelled_after, int64_t victim) {
    for (const int64_t id : ids) inbox->submit(id, r[size_t(id)]);
    std::map<int64_t, GenerateResult> results;
    std::vector<Event> events;
    int64_t steps = 0;
    while (engine->serve_step(0, events))
      if (++steps == cancelled_after) inbox->cancel(victim);
    for (const Event& e : events) {
      if (e.kind == Event::Kind::token) {
        results[e.request].tokens.push_back(e.token);
        results[e.request].logprobs.push_back(e.logprob);
      } else {
        results[e.request].reason = e.reason;
      }
    }
    return results;
  };
  const auto all = serve({0, 1, 2}, -1, -1);
  for (const auto& [id, result] : all) check_equal({result}, {plain[size_t(id)]});
  CHECK(all.size() == 3);
  CHECK(engine->serve_stats().preemptions > 0);
  CHECK(engine->serve_stats().pages_used == 0);
  // Again, from what is kept of its first page; one goes away in the middle.
  const int64_t spared = engine->serve_stats().prefix_rows;
  const auto fewer = serve({2, 1}, 5, 1);
  check_equal({fewer.at(2)}, {plain[2]});
  CHECK(fewer.at(1).tokens.size() < plain[1].tokens.size());
  CHECK(std::equal(fewer.at(1).tokens.begin(), fewer.at(1).tokens.end(), plain[1].tokens.begin()));
  CHECK(engine->serve_stats().prefix_rows >= spared + kPageTokens);
  CHECK(engine->serve_stats().pages_used == 0);
  // A session that is closed with steps under way, and another after it.
  inbox->submit(0, r[0]);
  std::vector<Event> events;
  for (int i = 0; i < 4; ++i) engine->serve_step(0, events);
  engine->serve_close();
  check_equal(generate(*engine, {r[1]}, true), {plain[1]});
}

TEST_CASE("step queue: a call that is aborted") {
  const auto engine = open(Precision::f32, true);
  const auto r = requests(4, 12);
  const auto plain = generate(*engine, r, true);
  const Late late;
  AbortFlag abort;
  const auto progress = [&](int64_t tokens) {
    if (tokens > 12) abort.set();
  };
  CHECK_THROWS_AS(engine->generate(r, {}, progress, abort), Aborted);
  check_equal(generate(*engine, r, true), plain);
}

TEST_CASE("step queue: logits that are not finite name their request; nobody's are nobody's") {
  const auto engine = open(Precision::f32, true, 32, true, false);
  auto r = requests(4, 24);
  for (auto& one : r) one.sampling.temperature = 1.5f;
  const auto plain = generate(*engine, r, true);
  // A token in the middle of a completion that nothing else reads.
  std::map<int32_t, int> read;
  for (const auto& one : r)
    for (const int32_t token : one.prompt) ++read[token];
  for (const auto& one : plain)
    for (const int32_t token : one.tokens) ++read[token];
  size_t request = 0, at = 0;
  for (size_t i = 0; i < plain.size(); ++i)
    for (size_t t = 1; t + 1 < plain[i].tokens.size(); ++t)
      if (read[plain[i].tokens[t]] == 1) request = i, at = t;
  REQUIRE(request > 0);
  const int32_t token = plain[request].tokens[at];
  auto weights = engine->read_parameter("model.embed_tokens.weight");
  const auto sound = weights;
  weights[size_t(token) * 64] = std::numeric_limits<float>::quiet_NaN();
  engine->write_parameter("model.embed_tokens.weight", weights);
  const std::string message = "request " + std::to_string(request) + ", token " +
                              std::to_string(at + 1) +
                              " of its completion: logits/temperature holds NaN or infinity";
  for (const bool queued : {true, false})
    CHECK_THROWS_WITH_AS(generate(*engine, r, queued), message.c_str(), std::runtime_error);
  // Where it ends a completion, the row that comes of it is computed, and thrown away.
  r[request].stop_tokens = {token};
  const auto stopped = generate(*engine, r, true);
  CHECK(stopped[request].tokens.size() == at + 1);
  check_equal(stopped, generate(*engine, r, false));
  r[request].stop_tokens.clear();
  engine->write_parameter("model.embed_tokens.weight", sound);
  check_equal(generate(*engine, r, true), plain);
}

#if defined(KOGRPO_EMULATION)

TEST_CASE("step queue: a step is a graph, two copies and one wait for the step before it") {
  // Without training: the pages of keys and values stay where they are between calls.
  const auto engine = open(Precision::bf16, true, 32, false);
  std::vector<GenerateRequest> r = requests(6, 2);
  for (auto& one : r) one.max_new_tokens = 20;
  generate(*engine, r, true);
  const auto before = emulation::counters();
  // Count between the first progress after the prompts and the last but one.
  std::vector<emulation::Counters> at;
  std::vector<int64_t> generated;
  {
    const Late late;
    engine->generate(
        r, {},
        [&](int64_t tokens) {
          at.push_back(emulation::counters());
          generated.push_back(tokens);
        },
        AbortFlag());
  }
  CHECK(emulation::counters().captures == before.captures);  // the graphs of the first call serve
  // Prompts, the first step of the queue, whose tokens come with the second, and so on.
  const size_t first = size_t(std::count(generated.begin(), generated.end(), 0)) + 2;
  const size_t last = at.size() - 2;
  REQUIRE(last > first + 12);
  const auto steps = int64_t(last - first);
  CHECK(generated[last] - generated[first] == 6 * steps);
  CHECK(at[last].kernels == at[first].kernels);
  CHECK(at[last].graphs - at[first].graphs == steps);
  CHECK(at[last].copies - at[first].copies == 2 * steps);
  CHECK(at[last].event_waits - at[first].event_waits == steps);
  CHECK(at[last].stream_waits == at[first].stream_waits);
}

namespace {
void add(int* p, int n) {
  *p += n;
}
}  // namespace

TEST_CASE("emulation: a capture records with its arguments, and is lost by what may not be in it") {
  using namespace cuda;
  int value = 0, n = 3;
  const auto run = [&] { launch(nullptr, "add", {dim3(1), dim3(1)}, add, &value, n); };
  const Graph graph(nullptr, [&] {
    run();
    run();
  });
  CHECK(value == 0);
  n = 100;
  graph.launch(nullptr);
  CHECK(value == 6);
  graph.launch(nullptr);
  CHECK(value == 12);
  DeviceBuffer<int> memory(4);
  PinnedBuffer<int> pinned;
  int* const page_locked = pinned.reserve(4);
  std::vector<int> pageable(4, 1);
  const auto lost = [&](const std::function<void()>& body, const char* why) {
    CHECK_THROWS_WITH_AS(Graph(nullptr, body), doctest::Contains(why), CudaError);
    // And where the code does not look at the error, the capture's end does.
    CHECK_THROWS_WITH_AS(Graph(nullptr,
                               [&] {
                                 try {
                                   body();
                                 } catch (const CudaError&) {
                                 }
                               }),
                         doctest::Contains("Invalidated"), CudaError);
  };
  lost([] { KOGRPO_CUDA(cudaStreamSynchronize(nullptr)); }, "cudaStreamSynchronize");
  lost([] { DeviceBuffer<int> more(1); }, "cudaMalloc");
  lost([] { cuda::Event().wait(); }, "cudaEventSynchronize");
  const auto copy = [&](const int* from) {
    KOGRPO_CUDA(cudaMemcpyAsync(memory.data(), from, 16, cudaMemcpyHostToDevice, nullptr));
  };
  lost([&] { copy(pageable.data()); }, "cudaMemcpyAsync");
  // Page-locked memory is read when the graph runs.
  const Graph copies(nullptr, [&] { copy(page_locked); });
  std::iota(page_locked, page_locked + 4, 5);
  copies.launch(nullptr);
  KOGRPO_CUDA(cudaMemcpyAsync(pageable.data(), memory.data(), 16, cudaMemcpyDeviceToHost, nullptr));
  KOGRPO_CUDA(cudaStreamSynchronize(nullptr));
  CHECK(pageable == std::vector<int>{5, 6, 7, 8});
  // What is late reads a buffer that the host has overwritten too early.
  {
    const Late late;
    copy(page_locked);
    page_locked[0] = 77;
    KOGRPO_CUDA(
        cudaMemcpyAsync(pageable.data(), memory.data(), 16, cudaMemcpyDeviceToHost, nullptr));
    KOGRPO_CUDA(cudaStreamSynchronize(nullptr));
    CHECK(pageable[0] == 77);
  }
}

#endif
