// The engine end to end on a GPU, for scripts/gpu-check; compiled by nvcc with the engine and
// nothing else. JSON lines to stdout, one a result:
//
//   curve        losses of a tiny model on the GPU (bf16) and on the CPU (fp32), N steps
//   sampler      log-probs of sampled tokens against those that training computes
//   ranks        one rank over NCCL under every sharding against one without it: weights and time
//   growth       device and host memory after 10 and after 1,000 steps
//   plan         a model of Qwen3-14B's geometry: the memory plan against what is in use
//   train        that model's training step: tokens a second, share of 989 TFLOP/s
//   generate     its generation at batch 128 and 1k context: tokens a second, share of the roofline
//
// Random weights: times and memory do not depend on values.
// Usage: engine [--part curve|sampler-deterministic|sampler|ranks|growth|large] [--layers N, 0: no
// large model] [--bandwidth BYTES_PER_SECOND]. gpu-check gives every part a process of its own,
// since an error of the device leaves none of a process's later calls usable.

#include "engine/engine.h"

#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace kogrpo {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

ModelConfig small() {
  ModelConfig c;
  c.vocab_size = 1024, c.hidden_size = 256, c.intermediate_size = 768, c.num_layers = 4;
  c.num_heads = 4, c.num_kv_heads = 2, c.head_dim = 64, c.rope_theta = 1e6;
  c.tie_word_embeddings = true;
  return c;
}

ModelConfig qwen3_14b(int64_t layers) {
  ModelConfig c;
  c.vocab_size = 151936, c.hidden_size = 5120, c.intermediate_size = 17408, c.num_layers = layers;
  c.num_heads = 40, c.num_kv_heads = 8, c.head_dim = 128, c.rope_theta = 1e6;
  c.tie_word_embeddings = false;
  return c;
}

struct Batch {
  std::vector<int32_t> tokens, cu{0};
  std::vector<float> coef;
  BatchArguments arguments() const { return {tokens, cu, {}, 1.0f, 0, {}}; }
};

// Sequences that a small model can learn: each token follows from the one before, with some noise.
Batch learnable(int sequences, int length, int vocab, uint32_t seed) {
  std::mt19937 random(seed);
  Batch b;
  for (int s = 0; s < sequences; ++s) {
    auto token = int32_t(random() % uint32_t(vocab));
    for (int t = 0; t < length; ++t) {
      b.tokens.push_back(token);
      token = random() % 10 == 0 ? int32_t(random() % uint32_t(vocab)) : (token * 5 + 7) % vocab;
    }
    b.cu.push_back(int32_t(b.tokens.size()));
  }
  b.coef.assign(b.tokens.size(), -1.0f / float(sequences * (length - 1)));
  for (const int32_t begin : b.cu)
    if (size_t(begin) < b.coef.size()) b.coef[size_t(begin)] = 0;
  return b;
}

double loss_of(const Batch& b, const TokenValues& values) {
  double loss = 0;
  for (size_t t = 0; t < b.coef.size(); ++t) loss += double(b.coef[t]) * values.logprobs[t];
  return loss;
}

EngineOptions options_for(const std::string& device, Precision precision, bool deterministic) {
  EngineOptions o;
  o.device = device;
  o.precision = precision;
  o.deterministic = deterministic;
  o.use.training = true;
  return o;
}

void curve(int steps) {
  Engine gpu(small(), options_for("cuda", Precision::bf16, false));
  Engine cpu(small(), options_for("cpu", Precision::f32, false));
  for (Engine* e : {&gpu, &cpu}) e->initialize({.seed = 7});
  double worst = 0, on_gpu = 0, on_cpu = 0, window_gpu = 0, window_cpu = 0;
  for (int step = 0; step < steps; ++step) {
    const Batch b = learnable(8, 64, 1024, uint32_t(step));
    const auto train = [&](Engine& e) {
      const double loss = loss_of(b, e.forward_backward(b.arguments(), b.coef, {}, {}));
      e.optimizer_step({.learning_rate = 1e-3f, .max_grad_norm = 1});
      return loss;
    };
    window_gpu += on_gpu = train(gpu);
    window_cpu += on_cpu = train(cpu);
    if (step % 10 == 9) {  // means of ten steps
      worst = std::max(worst, std::fabs(window_gpu / window_cpu - 1));
      window_gpu = window_cpu = 0;
    }
  }
  std::printf(
      "{\"name\": \"curve\", \"steps\": %d, \"loss_gpu_bf16\": %.5f, \"loss_cpu_fp32\": %.5f, "
      "\"largest_relative_difference\": %.5f, \"bar\": 0.01}\n",
      steps, on_gpu, on_cpu, worst);
}

void sampler(bool deterministic) {
  Engine e(small(), options_for("cuda", Precision::bf16, deterministic));
  e.initialize({.seed = 7, .std = 0.05});
  std::vector<GenerateRequest> requests;
  for (int i = 0; i < 64; ++i) {
    GenerateRequest r;
    r.prompt = learnable(1, 16 + i % 40, 1024, uint32_t(i / 8)).tokens;
    r.max_new_tokens = 128;
    r.sampling.seed = 1, r.sampling.stream = uint64_t(i);
    requests.push_back(r);
  }
  const auto results = e.generate(
      requests, {}, [](int64_t) {}, AbortFlag());
  double sum = 0, most = 0, count = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    Batch b;
    b.tokens = requests[i].prompt;
    b.tokens.insert(b.tokens.end(), results[i].tokens.begin(), results[i].tokens.end());
    b.cu.push_back(int32_t(b.tokens.size()));
    int64_t handle = 0;
    const auto values = e.forward(b.arguments(), "policy", false, &handle, {});
    for (size_t t = 0; t < results[i].tokens.size(); ++t) {
      const double d = std::fabs(double(values.logprobs[requests[i].prompt.size() + t]) -
                                 double(results[i].logprobs[t]));
      sum += d, most = std::max(most, d), ++count;
    }
  }
  std::printf(
      "{\"name\": \"sampler%s\", \"tokens\": %.0f, \"mean_difference\": %.3g, "
      "\"largest_difference\": %.3g, \"bar\": %g}\n",
      deterministic ? ", deterministic" : "", count, sum / count, most,
      deterministic ? 0.0 : 0.002);
}

// One rank goes the whole way of several: exchanges and gathers in a stream beside the operations,
// the sum of gradients, its norm, AdamW on pieces; NCCL moves its data to itself.
void ranks() {
  constexpr int kSteps = 20, kTurns = 2;
  const NcclStatus nccl = nccl_status();
  if (!nccl.usable) {
    std::printf("{\"name\": \"ranks\", \"skipped\": \"no NCCL\"}\n");
    std::fprintf(stderr, "%s\n", nccl.text.c_str());
    return;
  }
  struct Run {
    std::vector<float> weights;
    double ms = 0;
  };
  const auto train = [&](std::unique_ptr<Communicator> communicator, Shard shard) {
    Engine e(small(), options_for("cuda", Precision::bf16, true));
    e.initialize({.seed = 7});
    e.join(std::move(communicator), shard);
    Run run;
    auto begin = Clock::now();
    for (int step = 0; step < kSteps; ++step) {
      if (step == kSteps / 2) begin = Clock::now();
      for (int turn = 0; turn < kTurns; ++turn) {
        const Batch b = learnable(8, 64, 1024, uint32_t(kTurns * step + turn));
        e.begin_turn(1, "step " + std::to_string(step) + ", turn " + std::to_string(turn));
        e.forward_backward(b.arguments(), b.coef, {}, {});
        e.accumulate();
      }
      e.optimizer_step({.learning_rate = 1e-3f, .max_grad_norm = 1}, "update");
    }
    run.ms = 1000 * since(begin) / (kSteps - kSteps / 2);
    e.hold_weights(false, "weights");
    for (const Parameter& p : e.layout().all()) {
      const auto values = e.read_parameter(p.name);
      run.weights.insert(run.weights.end(), values.begin(), values.end());
    }
    return run;
  };
  const Run alone = train(make_single(), Shard::none);
  const char* const names[] = {"none", "optimizer", "gradients", "parameters"};
  for (const Shard shard : {Shard::none, Shard::optimizer, Shard::gradients, Shard::parameters}) {
    const Run run = train(make_nccl(0, 1, nullptr), shard);
    size_t different = 0;
    for (size_t i = 0; i < alone.weights.size(); ++i)
      different += run.weights[i] != alone.weights[i];
    std::printf(
        "{\"name\": \"ranks\", \"nccl\": \"%s\", \"shard\": \"%s\", \"weights\": %zu, "
        "\"different\": %zu, \"bar\": 0, \"step_ms\": %.3f, \"step_ms_without_nccl\": %.3f}\n",
        nccl.text.c_str(), names[int(shard)], run.weights.size(), different, run.ms, alone.ms);
    if (different > 0) throw std::runtime_error("a rank over NCCL has other weights");
  }
}

double host_mib() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return double(use.ru_maxrss) / 1024;
}
double device_mib(Engine& e) {
  const DeviceMemory m = e.device().memory();
  return double(m.total - m.free) / double(1 << 20);
}

void growth(int steps) {
  Engine e(small(), options_for("cuda", Precision::bf16, false));
  e.initialize({.seed = 7});
  double host = 0, device = 0;
  for (int step = 0; step < steps; ++step) {
    const Batch b = learnable(4, 64, 1024, uint32_t(step));
    e.forward_backward(b.arguments(), b.coef, {}, {});
    e.optimizer_step({.learning_rate = 1e-4f});
    if (step % 100 == 0) {
      GenerateRequest r;
      r.prompt = {1, 2, 3};
      r.max_new_tokens = 20;
      const std::vector<GenerateRequest> all(4, r);
      e.generate(
          all, {}, [](int64_t) {}, AbortFlag());
    }
    if (step == 101) host = host_mib(), device = device_mib(e);
  }
  std::printf(
      "{\"name\": \"growth\", \"steps\": %d, \"host_mib\": %.1f, \"device_mib\": %.1f, \"bar\": "
      "0}\n",
      steps, host_mib() - host, device_mib(e) - device);
}

// Weights and multiply-adds of a token: all matrices but the embedding.
double matrix_parameters(const ModelConfig& c) {
  const double layer = double(c.hidden_size) * double(c.qkv_size() + c.q_size()) +
                       3.0 * double(c.hidden_size) * double(c.intermediate_size);
  return layer * double(c.num_layers) + double(c.hidden_size) * double(c.vocab_size);
}

void large(int64_t layers, double bandwidth) {
  const ModelConfig config = qwen3_14b(layers);
  const int64_t tokens = 4096, sequences = 128, context = 1024, added = 64;
  EngineOptions o = options_for("cuda", Precision::bf16, false);
  o.use.micro_batch_tokens = tokens;
  o.use.head_chunk_rows = o.lm_head_chunk = 1024;
  o.use.cache_tokens = sequences * (context + added + kPageTokens);
  o.use.step_rows = sequences;
  auto begin = Clock::now();
  Engine e(config, o);
  e.initialize({.seed = 3});
  std::fprintf(stderr, "%s: %.1f s to make the weights\n%s", e.device().name().c_str(),
               since(begin), e.memory_table().c_str());

  std::mt19937 random(1);
  Batch b;
  for (int64_t t = 0; t < tokens; ++t)
    b.tokens.push_back(int32_t(random() % uint32_t(config.vocab_size)));
  b.cu.push_back(int32_t(tokens));
  b.coef.assign(b.tokens.size(), -1.0f / float(tokens));
  b.coef[0] = 0;
  double best = 0, step_s = 0;
  for (int i = 0; i < 4; ++i) {  // the first makes cuBLASLt's plans
    begin = Clock::now();
    e.forward_backward(b.arguments(), b.coef, {}, {});
    const double s = since(begin);
    if (i > 0 && (best == 0 || s < best)) best = s;
    begin = Clock::now();
    e.optimizer_step({.learning_rate = 1e-6f, .max_grad_norm = 1});
    step_s = since(begin);
  }
  // 6 operations a weight and token, and the causal half of attention, forward and twice backward.
  const double attention =
      6.0 * double(tokens) * double(tokens) * double(config.q_size()) * double(config.num_layers);
  const double operations = 6.0 * matrix_parameters(config) * double(tokens) + attention;
  std::printf(
      "{\"name\": \"train\", \"layers\": %ld, \"tokens\": %ld, \"pass_ms\": %.1f, "
      "\"optimizer_ms\": %.1f, "
      "\"tokens_per_s\": %.0f, \"tflops\": %.1f, \"share_of_989\": %.3f, \"bar\": 0.55}\n",
      long(layers), long(tokens), best * 1e3, step_s * 1e3, double(tokens) / best,
      operations / best / 1e12, operations / best / 989e12);
  std::fflush(stdout);

  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < sequences; ++i) {
    GenerateRequest r;
    for (int64_t t = 0; t < context; ++t)
      r.prompt.push_back(int32_t(random() % uint32_t(config.vocab_size)));
    r.max_new_tokens = added;
    r.sampling.stream = uint64_t(i);
    requests.push_back(r);
  }
  Clock::time_point first{}, last{};
  int64_t at_first = 0, at_last = 0;
  e.generate(
      requests, {.max_sequences = sequences, .prefill_rows = 4096},
      [&](int64_t generated) {
        last = Clock::now();
        at_last = generated;
        if (at_first == 0 && generated >= sequences * 8) first = last, at_first = generated;
      },
      AbortFlag());
  const double seconds = std::chrono::duration<double>(last - first).count();
  const double rate = double(at_last - at_first) / seconds;
  // What a step reads: every weight, and the keys and values of each sequence.
  const double bytes =
      2.0 * matrix_parameters(config) + 4.0 * double(sequences) * double(context + added / 2) *
                                            double(config.kv_size()) * double(config.num_layers);
  std::printf(
      "{\"name\": \"generate\", \"layers\": %ld, \"batch\": %ld, \"context\": %ld, "
      "\"tokens_per_s\": %.0f, \"share_of_roofline\": %.3f, \"bar\": 0.6}\n",
      long(layers), long(sequences), long(context), rate,
      rate / double(sequences) * bytes / bandwidth);
  const MemoryPlan plan = plan_memory(config, e.planned_use());
  std::printf(
      "{\"name\": \"plan\", \"layers\": %ld, \"planned_mib\": %.0f, \"in_use_mib\": %.0f, "
      "\"bar\": \"in use at most planned\"}\n",
      long(layers), double(plan.peak()) / double(1 << 20), device_mib(e));
}

}  // namespace
}  // namespace kogrpo

int main(int argc, char** argv) {
  using namespace kogrpo;
  int64_t layers = 40;
  double bandwidth = 4.8e12;  // bytes a second; the measured one is given where it is known
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--layers") == 0) layers = std::atol(argv[i + 1]);
    if (std::strcmp(argv[i], "--bandwidth") == 0) bandwidth = std::atof(argv[i + 1]);
    if (std::strcmp(argv[i], "--part") == 0) only = argv[i + 1];
  }
  int failed = 0;
  const auto part = [&](const char* name, auto&& run) {
    if (!only.empty() && only != name) return;
    try {
      run();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s: %s\n", name, e.what());
      ++failed;
    }
    std::fflush(stdout);
  };
  part("curve", [] { curve(200); });
  part("sampler-deterministic", [] { sampler(true); });
  part("sampler", [] { sampler(false); });
  part("ranks", [] { ranks(); });
  part("growth", [] { growth(1000); });
  if (layers > 0) part("large", [&] { large(layers, bandwidth); });
  return failed == 0 ? 0 : 1;
}
