#pragma once
// The CUDA backend of the table of operations, sm_80 and later: fp32 or bf16 tensors, arithmetic in
// fp32 either way. What a call needs of its index arrays is uploaded. Calls return when their work
// is queued; sum_of_squares, sample and top_logprobs wait for it, but sample does not in a step of
// the queue (step_queue.h), whose index arrays are on the device already. Methods stand in
// cuda/<op>.cu.

#include <memory>
#include <string>

#include "ops/device.h"

namespace kogrpo {

namespace cuda {
class Context;
class BlasLt;
}  // namespace cuda

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
  void dropout(const Dropout&) override;
  void logits_forward(const LogitsForward&) override;
  Tensor logits_backward(const LogitsBackward&) override;
  void scale_columns(const ScaleColumns&) override;
  void sample(const Sample&) override;
  void top_logprobs(const TopLogprobs&) override;
  void adamw(const AdamW&) override;
  void mixed_adamw(const MixedAdamW&) override;
  void mixed_lerp(const MixedLerp&) override;
  void scale_part(const ScalePart&) override;
  double sum_of_squares(const Tensor& x) override;
  void sums_of_squares(const Tensor& x, int64_t grain, double* sums) override;
  void scale(float* x, int64_t n, float factor) override;
  void lerp(const Tensor& dst, const Tensor& src, float alpha) override;

 private:
  CudaOptions options_;
  std::string name_;
  std::unique_ptr<cuda::Context> context_;
  std::unique_ptr<cuda::BlasLt> blas_;  // null: our own product
};

}  // namespace kogrpo
