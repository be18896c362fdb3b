// Times every operation of the CUDA backend at Qwen3-14B's sizes, on random data, against ceilings
// measured in the same run: the bandwidth of a large device copy, and cuBLASLt's rate on a large
// product. Prints one JSON object per line: {"name", "ms", "value", "unit", "of_ceiling"}. Times
// are medians of CUDA events; operations whose data fit into the second-level cache rotate over
// several copies. Run by scripts/gpu-check, each group in a process of its own:
//
//   bench [GROUP [COPY_GB_PER_S PRODUCT_TFLOP_PER_S]]    bench --list: the groups
//
// The ceilings come with the first group, `ceilings`, and are given to the others.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "ops/bf16.h"
#include "ops/philox.h"

namespace kogrpo {
namespace {

constexpr int64_t kHidden = 5120, kInner = 17408, kHeads = 40, kKv = 8, kDim = 128;
constexpr int64_t kVocab = 151936, kQ = kHeads * kDim, kKvSize = kKv * kDim;
constexpr float kScale = 0.08838834764831845f;

class Bench {
 public:
  Bench() : ops_({.device = 0, .deterministic = false}) {
    std::mt19937 engine(1);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    noise32_.resize(size_t{1} << 22);
    for (float& x : noise32_) x = normal(engine);
    for (const float x : noise32_) noise16_.push_back(round_to_bf16(x));
  }
  CudaOps& ops() { return ops_; }
  cudaStream_t stream() { return ops_.context().stream(); }

  // Random values, the noise repeated at odd offsets.
  Tensor tensor(DType type, int64_t rows, int64_t cols) {
    const size_t bytes = size_t(rows * cols) * size_of(type);
    unsigned char* p = memory(bytes);
    const bool wide = type == DType::f32;
    const auto* from = wide ? reinterpret_cast<const unsigned char*>(noise32_.data())
                            : reinterpret_cast<const unsigned char*>(noise16_.data());
    const size_t whole = noise32_.size() * size_of(type), part = std::min(bytes, whole - 4096);
    KOGRPO_CUDA(cudaMemcpyAsync(p, from, part, cudaMemcpyHostToDevice, stream()));
    for (size_t at = part; at < bytes; at += part - 4096)
      KOGRPO_CUDA(cudaMemcpyAsync(p + at, p + 4096, std::min(part - 4096, bytes - at),
                                  cudaMemcpyDeviceToDevice, stream()));
    ops_.synchronize();
    return {p, type, rows, cols, cols, Precision::f32};
  }
  unsigned char* memory(size_t bytes) {
    buffers_.emplace_back();
    return buffers_.back().reserve(bytes);
  }
  void clear() {
    ops_.synchronize();
    buffers_.clear();
  }

  // Median milliseconds of work(i), i counting the calls.
  double time(const std::function<void(int)>& work, int repeats = 15) {
    for (int i = 0; i < 3; ++i) work(i);
    std::vector<double> all;
    for (int i = 0; i < repeats; ++i) {
      KOGRPO_CUDA(cudaEventRecord(begin_.event, stream()));
      work(i + 3);
      KOGRPO_CUDA(cudaEventRecord(end_.event, stream()));
      KOGRPO_CUDA(cudaEventSynchronize(end_.event));
      float ms = 0;
      KOGRPO_CUDA(cudaEventElapsedTime(&ms, begin_.event, end_.event));
      all.push_back(double(ms));
    }
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
  }

  void report(const std::string& name, double ms, double value, const char* unit, double ceiling) {
    std::printf(
        "{\"name\": \"%s\", \"ms\": %.5f, \"value\": %.2f, \"unit\": \"%s\", "
        "\"of_ceiling\": %.4f}\n",
        name.c_str(), ms, value, unit, ceiling > 0 ? value / ceiling : 1.0);
    std::fflush(stdout);
  }
  void bandwidth(const std::string& name, double bytes, const std::function<void(int)>& work) {
    const double ms = time(work);
    report(name, ms, bytes / ms * 1e-6, "GB/s", copy_);
  }
  void rate(const std::string& name, double operations, const std::function<void(int)>& work) {
    const double ms = time(work);
    report(name, ms, operations / ms * 1e-9, "TFLOP/s", product_);
  }

  void ceilings() {
    const size_t bytes = size_t{2} << 30;
    unsigned char *a = static_cast<unsigned char*>(tensor(DType::bf16, 1 << 14, 1 << 16).data),
                  *b = memory(bytes);
    const double ms = time([&](int) {
      KOGRPO_CUDA(cudaMemcpyAsync(b, a, bytes, cudaMemcpyDeviceToDevice, stream()));
    });
    copy_ = 2.0 * double(bytes) / ms * 1e-6;
    report("ceiling: device copy", ms, copy_, "GB/s", 0);
    clear();
    const int64_t n = 8192;
    const Tensor x = tensor(DType::bf16, n, n), w = tensor(DType::bf16, n, n),
                 y = tensor(DType::bf16, n, n);
    const double product = time([&](int) { ops_.linear({x, w, y, nullptr, false}); });
    product_ = 2.0 * double(n) * double(n) * double(n) / product * 1e-9;
    report("ceiling: product 8192", product, product_, "TFLOP/s", 0);
    clear();
  }
  void set_ceilings(double copy, double product) { copy_ = copy, product_ = product; }

 private:
  struct Event {
    cudaEvent_t event = nullptr;
    Event() { KOGRPO_CUDA(cudaEventCreate(&event)); }
    ~Event() { cudaEventDestroy(event); }
  };
  CudaOps ops_;
  Event begin_, end_;
  std::vector<float> noise32_;
  std::vector<bf16> noise16_;
  std::vector<cuda::DeviceBuffer<unsigned char>> buffers_;
  double copy_ = 0, product_ = 0;
};

void products(Bench& b) {
  for (const auto& [name, n, k] :
       {std::tuple<const char*, int64_t, int64_t>{"qkv", kQ + 2 * kKvSize, kHidden},
        {"o", kHidden, kQ},
        {"gate_up", 2 * kInner, kHidden},
        {"down", kHidden, kInner}})
    for (const int64_t m : {128, 4096}) {
      const Tensor x = b.tensor(DType::bf16, m, k), w = b.tensor(DType::bf16, n, k),
                   y = b.tensor(DType::bf16, m, n);
      const double work = 2.0 * double(m) * double(n) * double(k);
      const std::string size = std::string(name) + " " + std::to_string(m);
      b.rate("linear " + size, work, [&](int) { b.ops().linear({x, w, y, nullptr, false}); });
      if (m > 128) {
        b.rate("linear_backward_input " + size, work, [&](int) {
          b.ops().linear_backward_input({y, w, x, false});
        });
        b.rate("linear_backward_weight " + size, work, [&](int) {
          b.ops().linear_backward_weight({y, x, w});
        });
      }
      b.clear();
    }
}

void attention(Bench& b) {
  for (const int64_t length : {4096, 8192}) {
    const int64_t batch = 16384 / length, rows = length * batch;
    std::vector<int32_t> cu;
    for (int64_t i = 0; i <= batch; ++i) cu.push_back(int32_t(i * length));
    const Tensor offsets = ints(cu.data(), batch + 1);
    const auto wide = [&] { return b.tensor(DType::bf16, rows, kQ); };
    const auto narrow = [&] { return b.tensor(DType::bf16, rows, kKvSize); };
    const Tensor q = wide(), k = narrow(), v = narrow(), out = wide(), dout = wide(), dq = wide(),
                 dk = narrow(), dv = narrow(), lse = b.tensor(DType::f32, rows, kHeads);
    const double work = 4.0 * double(length) * double(length) * double(kDim * kHeads * batch) / 2;
    const std::string size = " " + std::to_string(length);
    b.rate("attention_forward" + size, work, [&](int) {
      b.ops().attention_forward({q, k, v, out, lse, offsets, kHeads, kKv, kDim, kScale});
    });
    b.rate("attention_backward" + size, 2.5 * work, [&](int) {
      b.ops().attention_backward(
          {dout, q, k, v, out, lse, offsets, dq, dk, dv, kHeads, kKv, kDim, kScale});
    });
    b.clear();
  }
}

void decode(Bench& b) {
  for (const int64_t context : {1024, 4096, 8192}) {
    const int64_t batch = 128, pages = context / kPageTokens;
    std::vector<int32_t> table, cu, first;
    for (int64_t i = 0; i < batch * pages; ++i) table.push_back(int32_t(i));
    for (int64_t i = 0; i <= batch; ++i) cu.push_back(int32_t(i));
    first.assign(size_t(batch), int32_t(context - 1));
    const Tensor keys = b.tensor(DType::bf16, batch * context, kKvSize),
                 values = b.tensor(DType::bf16, batch * context, kKvSize),
                 q = b.tensor(DType::bf16, batch, kQ), out = b.tensor(DType::bf16, batch, kQ);
    const KvPages cache{keys.f32(), values.f32(), table.data(), pages, kKv, kDim};
    b.bandwidth("attention_decode 128 x " + std::to_string(context),
                4.0 * double(batch * context * kKvSize), [&](int) {
                  b.ops().attention_cached(
                      {q, out, cache, {cu.data(), first.data(), batch}, kHeads, kScale});
                });
    b.clear();
  }
}

void head(Bench& b) {
  const int64_t tokens = 8192, chunk = 1024;
  const Tensor x = b.tensor(DType::bf16, tokens, kHidden),
               w = b.tensor(DType::bf16, kVocab, kHidden),
               dw = b.tensor(DType::bf16, kVocab, kHidden),
               dx = b.tensor(DType::bf16, tokens, kHidden),
               logits = b.tensor(DType::f32, chunk, kVocab);
  const auto row = [&] { return b.tensor(DType::f32, 1, chunk); };
  const Tensor logprob = row(), entropy = row(), lse = row(), coef = row();
  std::vector<int32_t> target(size_t(chunk), 7);
  const Tensor targets = ints(target.data(), chunk);
  const auto rows_of = [&](const Tensor& t, int64_t begin) {
    return Tensor{static_cast<bf16*>(t.data) + begin * t.stride,
                  t.dtype,
                  chunk,
                  t.cols,
                  t.stride,
                  Precision::f32};
  };
  const double work = 6.0 * double(tokens) * double(kHidden) * double(kVocab);
  b.rate("lm_head forward and backward 8192", work, [&](int) {
    for (int64_t begin = 0; begin < tokens; begin += chunk) {
      b.ops().linear({rows_of(x, begin), w, logits, nullptr, false});
      b.ops().logits_forward({logits, targets, logprob, entropy, lse, 1.0f, kVocab});
      const Tensor d = b.ops().logits_backward(
          {logits, targets, entropy, lse, coef, {}, 1.0f, kVocab, DType::bf16});
      b.ops().linear_backward_input({d, w, rows_of(dx, begin), false});
      b.ops().linear_backward_weight({d, rows_of(x, begin), dw});
    }
  });
  b.bandwidth("logits_forward 1024", 4.0 * double(chunk * kVocab), [&](int) {
    b.ops().logits_forward({logits, targets, logprob, entropy, lse, 1.0f, kVocab});
  });
  std::vector<SamplingParams> params(128);
  std::vector<int32_t> token(128);
  std::vector<float> sampled(128);
  const Tensor some{logits.data, DType::f32, 128, kVocab, kVocab, Precision::f32};
  for (const auto& [name, top_p] :
       {std::pair<const char*, float>{"sample 128", 1.0f}, {"sample 128, top_p 0.95", 0.95f}}) {
    b.bandwidth(name, 4.0 * 128 * double(kVocab), [&, p = top_p](int i) {
      for (size_t r = 0; r < 128; ++r)
        params[r].top_p = p, params[r].stream = r, params[r].position = i;
      b.ops().sample(
          {some, ints(token.data(), 128), vector(sampled.data(), 128), params.data(), kVocab});
    });
  }
  b.clear();
}

void rows(Bench& b) {
  const int64_t t = 8192;
  const double n = double(t);
  const auto wide = [&](int64_t cols) { return b.tensor(DType::bf16, t, cols); };
  {
    const Tensor x = wide(kHidden), y = wide(kHidden), dy = wide(kHidden),
                 w = b.tensor(DType::bf16, 1, kHidden), dw = b.tensor(DType::bf16, 1, kHidden),
                 rstd = b.tensor(DType::f32, 1, t);
    b.bandwidth("rmsnorm_forward 8192", n * kHidden * 4, [&](int) {
      b.ops().rmsnorm_forward({x, w, y, rstd, 1e-6f});
    });
    b.bandwidth("rmsnorm_backward 8192", n * kHidden * 8, [&](int) {
      b.ops().rmsnorm_backward({dy, x, w, rstd, y, dw, true});
    });
    b.clear();
  }
  {
    const int64_t all = kQ + 2 * kKvSize, turned = kQ + kKvSize;
    const Tensor qkv = wide(all), out = wide(turned), dqkv = wide(all),
                 w = b.tensor(DType::bf16, 1, kDim), dw = b.tensor(DType::bf16, 1, kDim),
                 cos = b.tensor(DType::f32, t, kDim / 2), sin = b.tensor(DType::f32, t, kDim / 2);
    std::vector<int32_t> position(static_cast<size_t>(t));
    for (int64_t i = 0; i < t; ++i) position[size_t(i)] = int32_t(i);
    const Tensor positions = ints(position.data(), t);
    b.bandwidth("qk_norm_rope_forward 8192", n * double(turned) * 4, [&](int) {
      b.ops().qk_norm_rope_forward({qkv, w, w, positions, cos, sin, out, kHeads, kKv, kDim, 1e-6f});
    });
    b.bandwidth("qk_norm_rope_backward 8192", n * double(turned) * 6, [&](int) {
      b.ops().qk_norm_rope_backward(
          {out, qkv, w, w, positions, cos, sin, dqkv, dw, dw, kHeads, kKv, kDim, 1e-6f});
    });
    b.clear();
  }
  {
    const Tensor gate_up = wide(2 * kInner), y = wide(kInner), d = wide(2 * kInner);
    b.bandwidth("swiglu_forward 8192", n * kInner * 6, [&](int) {
      b.ops().swiglu_forward({gate_up, y});
    });
    b.bandwidth("swiglu_backward 8192", n * kInner * 10, [&](int) {
      b.ops().swiglu_backward({y, gate_up, d});
    });
    b.clear();
  }
  {
    const int64_t count = int64_t{1} << 30;
    MixedAdamW a;
    a.param = static_cast<bf16*>(b.tensor(DType::bf16, 1 << 14, 1 << 16).data);
    a.grad = static_cast<bf16*>(b.tensor(DType::bf16, 1 << 14, 1 << 16).data);
    const auto zeros = [&](size_t bytes) {
      unsigned char* p = b.memory(bytes);
      KOGRPO_CUDA(cudaMemsetAsync(p, 0, bytes, b.stream()));
      return p;
    };
    a.remainder = reinterpret_cast<int16_t*>(zeros(2 * size_t(count)));
    a.m = zeros(size_t(count)), a.v = zeros(size_t(count));
    a.m_scale = reinterpret_cast<float*>(zeros(4 * size_t(count / kMomentBlock)));
    a.v_scale = reinterpret_cast<float*>(zeros(4 * size_t(count / kMomentBlock)));
    a.n = count, a.lr = 1e-6f;
    b.bandwidth("adamw bf16 + remainder + 8-bit moments",
                double(count) * (14 + 16.0 / kMomentBlock), [&](int i) {
                  a.step = i + 1;
                  b.ops().mixed_adamw(a);
                });
    b.bandwidth("sum_of_squares", double(count) * 2, [&](int) {
      b.ops().sum_of_squares(matrix(const_cast<void*>(a.grad), DType::bf16, 1, count));
    });
    b.clear();
  }
}

}  // namespace
}  // namespace kogrpo

int main(int argc, char** argv) {
  using namespace kogrpo;
  const std::pair<const char*, void (*)(Bench&)> groups[] = {
      {"ceilings", [](Bench& b) { b.ceilings(); }},
      {"products", products},
      {"attention", attention},
      {"decode", decode},
      {"head", head},
      {"rows", rows}};
  const std::string only = argc > 1 ? argv[1] : "";
  if (only == "--list") {
    for (const auto& [name, run] : groups) std::puts(name);
    return 0;
  }
  try {
    Bench bench;
    if (argc > 3) bench.set_ceilings(std::atof(argv[2]), std::atof(argv[3]));
    if (only.empty() || only == "ceilings")
      std::printf(
          "{\"name\": \"device\", \"text\": \"%s\"}\n{\"name\": \"products\", \"text\": \"%s\"}\n",
          std::string(bench.ops().name()).c_str(), bench.ops().products().c_str());
    for (const auto& [name, run] : groups)
      if (only.empty() || only == name) run(bench);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
