#pragma once
// The CUDA backend of the table of operations, sm_80 and later. Floating-point tensors lie in
// device memory and are all fp32 or all bf16 (arithmetic is fp32 either way; lse, rstd, log-probs
// and rotary tables are always fp32). Index arrays (ids, positions, targets, cu_seqlens, page
// tables, spans, sampling parameters) lie in host memory, where they are checked; what a call needs
// of them is uploaded. Calls return when their work is queued; sum_of_squares and sample wait for
// it. Methods stand in cuda/<op>.cu.

#include <memory>
#include <string>

#include "cuda/bf16.h"
#include "ops/ops.h"

namespace kogrpo {

namespace cuda {
class Context;
class BlasLt;
}  // namespace cuda

// AdamW on bf16 weights with an exact fp32 master, kept as the 16 bits that the weight lacks
// (cuda/optimizer.cu). The moments are bf16 or 8-bit codes with one fp32 scale per kMomentBlock
// elements. Everything in device memory, consecutive; element 0 is element `first` of the
// parameters' run (the key of the rounding's random numbers), a multiple of kMomentBlock.
constexpr int64_t kMomentBlock = 256;
enum class MomentType { f32, bf16, eight_bit };
struct MixedAdamW {
  bf16* param = nullptr;
  int16_t* remainder = nullptr;
  const bf16* grad = nullptr;
  MomentType moments = MomentType::eight_bit;
  void *m = nullptr, *v = nullptr;
  float *m_scale = nullptr, *v_scale = nullptr;  // eight_bit: [⌈n/kMomentBlock⌉]
  int64_t n = 0, first = 0;
  float lr = 0, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, weight_decay = 0, grad_scale = 1;
  int64_t step = 1;
  uint64_t seed = 0;  // of the 8-bit moments' stochastic rounding
};

struct CudaOptions {
  int device = 0;
  // Every product by our own kernel, attention without splitting: a row's bits depend on that row
  // alone, decoding included (ops.h, batch invariance). Slower.
  bool deterministic = false;
};

class CudaOps final : public Ops {
 public:
  explicit CudaOps(const CudaOptions& options);
  ~CudaOps() override;

  std::string_view name() const override { return name_; }
  cuda::Context& context() { return *context_; }
  // The library behind the products, empty where it is our own kernel.
  std::string products() const;
  void synchronize();

  std::unique_ptr<PackedWeight> pack(const Tensor&) override { return nullptr; }
  void linear(const Linear&) override;
  void linear_backward_input(const LinearBackwardInput&) override;
  void linear_backward_weight(const LinearBackwardWeight&) override;
  void embedding_forward(const EmbeddingForward&) override;
  void embedding_backward(const EmbeddingBackward&) override;
  void rmsnorm_forward(const RmsNormForward&) override;
  void rmsnorm_backward(const RmsNormBackward&) override;
  void qk_norm_rope_forward(const QkNormRopeForward&) override;
  void qk_norm_rope_backward(const QkNormRopeBackward&) override;
  void attention_forward(const AttentionForward&) override;
  void attention_backward(const AttentionBackward&) override;
  void kv_append(const KvAppend&) override;
  void attention_cached(const AttentionCached&) override;
  void swiglu_forward(const SwigluForward&) override;
  void swiglu_backward(const SwigluBackward&) override;
  void logits_forward(const LogitsForward&) override;
  void logits_backward(const LogitsBackward&) override;
  void scale_columns(const ScaleColumns&) override;
  void sample(const Sample&) override;
  void top_logprobs(const TopLogprobs&) override;
  void adamw(const AdamW&) override;
  double sum_of_squares(const float* x, int64_t n) override;
  void scale(float* x, int64_t n, float factor) override;
  void lerp(float* dst, const float* src, int64_t n, float alpha) override;

  // The same on bf16, and the optimizer of bf16 weights.
  double sum_of_squares(const bf16* x, int64_t n);
  void lerp(bf16* dst, const bf16* src, int64_t n, float alpha);
  void adamw(const MixedAdamW&);
  // logits_backward, the gradient in bf16 over the logits' own memory: row r of the result begins
  // where row r of the fp32 logits did, so its stride is twice theirs.
  Tensor logits_backward_bf16(const LogitsBackward&);

 private:
  CudaOptions options_;
  std::string name_;
  std::unique_ptr<cuda::Context> context_;
  std::unique_ptr<cuda::BlasLt> blas_;  // null: our own product
};

}  // namespace kogrpo
