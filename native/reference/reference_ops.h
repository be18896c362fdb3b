#pragma once
// The specification: every operation as the plainest loop that computes it, sums in double
// precision. Linked into the tests only; each backend is held against it.

#include "ops/ops.h"

namespace kogrpo {

class ReferenceOps final : public Ops {
 public:
  std::string_view name() const override { return "reference"; }
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
  double sum_of_squares(const Tensor& x) override;
  void scale(float* x, int64_t n, float factor) override;
  void lerp(const Tensor& dst, const Tensor& src, float alpha) override;
};

}  // namespace kogrpo
