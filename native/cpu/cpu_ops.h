#pragma once
// The CPU backend: checks, splits each operation's independent items over the pool, calls the
// kernels of one instruction set. Methods stand in cpu/<op>.cpp.

#include <memory>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "ops/buffer.h"
#include "ops/ops.h"

namespace kogrpo {

class CpuOps final : public Ops {
 public:
  CpuOps(const KernelTable& kernels, int threads);
  ~CpuOps() override;

  std::string_view name() const override { return kernels_.isa; }
  int threads() const { return pool_.threads(); }
  const KernelTable& kernels() const { return kernels_; }
  Pool& pool() { return pool_; }

  std::unique_ptr<PackedWeight> pack(const Tensor& weight) override;
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

 private:
  // Scratch of at least `floats` for a worker, kept between calls.
  float* scratch(int worker, size_t floats);
  // C[M,N] (+)= A·B, the form behind the linear layer's products (matmul.cpp).
  struct Product;
  void multiply(const Product&);
  // Products with 8-bit weights (int8.cpp).
  class Int8Weight;
  std::unique_ptr<PackedWeight> pack_int8(const Tensor& weight);
  // A weight's pack, or one made here.
  const Int8Weight* int8_weight(const char* op, const Tensor& w, const PackedWeight* packed,
                                std::unique_ptr<PackedWeight>& made);
  void linear_int8(const Linear&);
  void linear_backward_input_int8(const LinearBackwardInput&);

  const KernelTable& kernels_;
  Pool pool_;
  std::vector<std::vector<float>> scratch_;  // one per worker
  Buffer<float> panels_;                     // the matrix product's packed B
  Buffer<int32_t> int8_rows_;                // the int8 product's x, and the rows' scales
  Buffer<float> int8_scales_;
  Buffer<float> int8_values_;  // rows of an int8 weight as fp32, in its backward
};

}  // namespace kogrpo
