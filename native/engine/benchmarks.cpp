#include "engine/benchmarks.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <functional>
#include <random>
#include <span>
#include <stdexcept>

#include "cpu/cpu_ops.h"
#include "engine/lm_head.h"
#include "engine/transformer.h"
#include "ops/buffer.h"

namespace kogrpo {
namespace {

// A run repeats short operations until it is long enough for the clock and the scheduler.
constexpr double kRunSeconds = 5e-3, kPeakSeconds = 2e-3;

double seconds_of(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// One core's fused multiply-adds on registers alone.
class PeakMeter {
 public:
  explicit PeakMeter(const KernelTable& kernels) : kernels_(kernels) {
    while (time() < kPeakSeconds / 2) iterations_ *= 2;
  }
  double flops() {
    const double per_iteration = 2.0 * double(kernels_.matmul_mr) * double(kernels_.matmul_nr);
    return per_iteration * double(iterations_) / time();
  }

 private:
  double time() {
    return seconds_of([&] { sink_ = kernels_.fma_peak(iterations_); });
  }

  const KernelTable& kernels_;
  int64_t iterations_ = 1024;
  volatile float sink_ = 0;
};

BenchmarkTimes measure(CpuOps& ops, const BenchmarkOptions& options, const AbortFlag& abort,
                       const std::function<void()>& operation) {
  PeakMeter peak(ops.kernels());
  double once = 0;
  for (int64_t i = 0; i < std::max<int64_t>(1, options.warm_up); ++i) {
    abort.check();
    once = seconds_of(operation);
  }
  const auto repeats =
      static_cast<int64_t>(std::clamp(kRunSeconds / std::max(once, 1e-9), 1.0, 1e6));
  BenchmarkTimes times;
  for (int64_t run = 0; run < options.runs; ++run) {
    abort.check();
    times.peak_flops.push_back(peak.flops());
    const double total = seconds_of([&] {
      for (int64_t i = 0; i < repeats; ++i) operation();
    });
    times.seconds.push_back(total / double(repeats));
  }
  return times;
}

// Tensors of uniform numbers in [-1, 1): zeros would be flattered by caches and adders.
class RandomTensors {
 public:
  explicit RandomTensors(uint64_t seed) : generator_(seed) {}

  Tensor make(int64_t rows, int64_t cols) {
    Buffer<float>& buffer = buffers_.emplace_back(static_cast<size_t>(rows * cols));
    std::generate_n(buffer.data(), rows * cols, [&] { return uniform_(generator_); });
    return matrix(buffer.data(), rows, cols);
  }
  std::vector<int32_t> ids(int64_t n, int64_t below) {
    std::uniform_int_distribution<int32_t> uniform(0, static_cast<int32_t>(below - 1));
    std::vector<int32_t> values(static_cast<size_t>(n));
    std::generate(values.begin(), values.end(), [&] { return uniform(generator_); });
    return values;
  }

 private:
  std::mt19937_64 generator_;
  std::uniform_real_distribution<float> uniform_{-1.0f, 1.0f};
  std::vector<Buffer<float>> buffers_;
};

// All threads read n floats once: what memory gives, if n is beyond the caches.
BenchmarkTimes bandwidth(CpuOps& ops, const BenchmarkOptions& o, const AbortFlag& abort) {
  Buffer<float> data(static_cast<size_t>(o.n));
  constexpr int64_t kBlock = 1 << 16;
  ops.pool().run(o.n, kBlock, [&](Range range, int) {
    std::fill(data.data() + range.begin, data.data() + range.end, 1.0f);
  });
  std::vector<float> sums(static_cast<size_t>((o.n + kBlock - 1) / kBlock));
  return measure(ops, o, abort, [&] {
    ops.pool().run(static_cast<int64_t>(sums.size()), 1, [&](Range blocks, int) {
      for (int64_t b = blocks.begin; b < blocks.end; ++b)
        sums[static_cast<size_t>(b)] = ops.kernels().read_all(
            data.data() + b * kBlock, std::min<int64_t>(kBlock, o.n - b * kBlock));
    });
  });
}

BenchmarkTimes gemm(CpuOps& ops, const BenchmarkOptions& o, const AbortFlag& abort) {
  RandomTensors random(o.seed);
  const Tensor x = random.make(o.m, o.k), y = random.make(o.m, o.n);
  Tensor w = random.make(o.n, o.k);
  if (o.kind.starts_with("gemm_bf16")) w.precision = Precision::bf16;
  if (o.kind == "gemm_int8_packed") w.precision = Precision::int8;
  const std::unique_ptr<PackedWeight> packed = o.kind.ends_with("packed") ? ops.pack(w) : nullptr;
  return measure(ops, o, abort, [&] {
    if (o.kind.ends_with("dx"))
      ops.linear_backward_input({y, w, x, false});
    else if (o.kind.ends_with("dw"))
      ops.linear_backward_weight({y, x, w});
    else
      ops.linear({x, w, y, packed.get(), false});
  });
}

// Kinds "attention_bf16_…" have bf16 products, and pages.
bool is_bf16(const BenchmarkOptions& o) {
  return o.kind.starts_with("attention_bf16");
}

BenchmarkTimes attention(CpuOps& ops, const ModelConfig& c, const BenchmarkOptions& o,
                         const AbortFlag& abort) {
  RandomTensors random(o.seed);
  const int64_t t = o.batch * o.seq;
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  const Precision precision = is_bf16(o) ? Precision::bf16 : Precision::f32;
  std::vector<int32_t> cu;
  for (int64_t b = 0; b <= o.batch; ++b) cu.push_back(static_cast<int32_t>(b * o.seq));
  const Tensor cu_seqlens = ints(cu.data(), o.batch + 1);
  const Tensor q = random.make(t, c.q_size()), k = random.make(t, c.kv_size()),
               v = random.make(t, c.kv_size()), out = random.make(t, c.q_size()),
               lse = random.make(t, c.num_heads);
  const AttentionForward forward{
      q,          k,     v,  out,  lse,      cu_seqlens, c.num_heads, c.num_kv_heads,
      c.head_dim, scale, {}, true, precision};
  if (o.kind.ends_with("forward"))
    return measure(ops, o, abort, [&] { ops.attention_forward(forward); });
  ops.attention_forward(forward);
  const Tensor dout = random.make(t, c.q_size()), dq = random.make(t, c.q_size()),
               dk = random.make(t, c.kv_size()), dv = random.make(t, c.kv_size());
  return measure(ops, o, abort, [&] {
    ops.attention_backward({dout,
                            q,
                            k,
                            v,
                            out,
                            lse,
                            cu_seqlens,
                            dq,
                            dk,
                            dv,
                            c.num_heads,
                            c.num_kv_heads,
                            c.head_dim,
                            scale,
                            {},
                            true,
                            precision});
  });
}

// One row of every sequence attends to `seq` cached tokens, itself included.
BenchmarkTimes attention_decode(CpuOps& ops, const ModelConfig& c, const BenchmarkOptions& o,
                                const AbortFlag& abort) {
  RandomTensors random(o.seed);
  const int64_t max_pages = (o.seq + kPageTokens - 1) / kPageTokens;
  const Tensor keys = random.make(o.batch * max_pages, c.kv_size() * kPageTokens),
               values = random.make(o.batch * max_pages, c.kv_size() * kPageTokens),
               q = random.make(o.batch, c.q_size()), out = random.make(o.batch, c.q_size());
  // Words of two bf16 are to be numbers too.
  if (is_bf16(o))
    for (const Tensor& side : {keys, values})
      for (float& word : std::span(side.f32(), static_cast<size_t>(side.size()))) {
        const uint32_t upper = std::bit_cast<uint32_t>(word) >> 16;
        word = std::bit_cast<float>(upper << 16 | upper);
      }
  std::vector<int32_t> table, cu_rows{0}, position;
  for (int64_t page = 0; page < o.batch * max_pages; ++page)
    table.push_back(static_cast<int32_t>(page));
  for (int64_t b = 0; b < o.batch; ++b) {
    cu_rows.push_back(static_cast<int32_t>(b + 1));
    position.push_back(static_cast<int32_t>(o.seq - 1));
  }
  const AttentionCached cached{q,
                               out,
                               {keys.f32(), values.f32(), table.data(), max_pages, c.num_kv_heads,
                                c.head_dim, is_bf16(o) ? DType::bf16 : DType::f32},
                               {cu_rows.data(), position.data(), o.batch},
                               c.num_heads,
                               1.0f / std::sqrt(static_cast<float>(c.head_dim))};
  return measure(ops, o, abort, [&] { ops.attention_cached(cached); });
}

BenchmarkTimes lm_head(Device& device, CpuOps& ops, const ModelConfig& c, const BenchmarkOptions& o,
                       const AbortFlag& abort) {
  RandomTensors random(o.seed);
  const int64_t t = o.batch * o.seq, h = c.hidden_size;
  const Tensor hidden = random.make(t, h), head = random.make(c.vocab_size, h),
               dhidden = random.make(t, h), dhead = random.make(c.vocab_size, h);
  std::vector<int32_t> cu;
  for (int64_t b = 0; b <= o.batch; ++b) cu.push_back(static_cast<int32_t>(b * o.seq));
  const PackedBatch batch = PackedBatch::make(random.ids(t, c.vocab_size), cu, {}, c.vocab_size);
  const HeadRows rows = HeadRows::select(batch, {});
  const HeadOptions options{1.0f, c.vocab_size, 0};
  const std::vector<float> coef(static_cast<size_t>(t), -1.0f / static_cast<float>(t));
  TokenValues values(static_cast<size_t>(t));
  LmHead lm(device, c);
  return measure(ops, o, abort, [&] {
    if (o.kind == "lm_head_forward")
      lm.forward(hidden, head, nullptr, rows, options, values, abort);
    else
      lm.forward_backward(hidden, head, nullptr, rows, options, coef, {}, values, dhidden, dhead,
                          abort);
  });
}

void require(std::initializer_list<std::pair<const char*, int64_t>> sizes) {
  for (const auto& [name, size] : sizes)
    if (size < 1)
      throw std::invalid_argument(std::string(name) + " must be at least 1, not " +
                                  std::to_string(size));
}

}  // namespace

BenchmarkTimes run_benchmark(Device& device, const ModelConfig& config,
                             const BenchmarkOptions& options, const AbortFlag& abort) {
  auto* const cpu = dynamic_cast<CpuOps*>(&device.ops());
  if (!cpu)
    throw std::invalid_argument("device: " + device.name() +
                                " is timed by scripts/gpu-check; kogrpo bench times the CPU");
  CpuOps& ops = *cpu;
  const std::string& kind = options.kind;
  const auto is = [&](std::initializer_list<const char*> kinds) {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
  };
  require({{"runs", options.runs}});
  if (kind == "peak") return measure(ops, options, abort, [] {});
  if (kind == "bandwidth") {
    require({{"n", options.n}});
    return bandwidth(ops, options, abort);
  }
  if (is({"gemm_forward", "gemm_packed", "gemm_dx", "gemm_dw", "gemm_bf16_forward",
          "gemm_bf16_packed", "gemm_bf16_dx", "gemm_bf16_dw", "gemm_int8_packed"})) {
    require({{"m", options.m}, {"n", options.n}, {"k", options.k}});
    return gemm(ops, options, abort);
  }
  require({{"batch", options.batch}, {"seq", options.seq}});
  if (is({"attention_decode", "attention_bf16_decode"}))
    return attention_decode(ops, config, options, abort);
  if (is({"attention_forward", "attention_backward", "attention_bf16_forward",
          "attention_bf16_backward"}))
    return attention(ops, config, options, abort);
  if (is({"lm_head_forward", "lm_head_train"})) return lm_head(device, ops, config, options, abort);
  throw std::invalid_argument("kind: there is no benchmark '" + kind + "'");
}

}  // namespace kogrpo
