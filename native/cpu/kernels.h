#pragma once
// The table of serial kernels that each instruction set provides (cpu/kernels/*.inl compiled by
// cpu/kernels_<isa>.cpp). A kernel does a range of an operation's independent work items; CpuOps
// splits the items over the pool. What an item is, the comment behind each entry says.

#include "ops/ops.h"

namespace kogrpo {

struct Range {
  int64_t begin = 0, end = 0;
};

struct MatmulPack;  // cpu/matmul.h
struct MatmulBlock;

struct Int8Pack;  // cpu/int8.h
struct Int8Rows;
struct Int8Block;

struct AttentionItem;          // cpu/attention.h
struct AttentionBackwardItem;  // cpu/attention.h

// Of one row of z = logits·inv_temperature, with d = z − max: what log-probabilities and the
// entropy are made from. `weighted` is NaN if the row holds NaN or +∞, or nothing but −∞; such a
// row is called not finite below.
struct SoftmaxSums {
  float max = 0;
  double sum = 0;       // Σ eᵈ
  double weighted = 0;  // Σ eᵈ·d
};

// What an instruction set provides; every entry of its table is there.
struct KernelTable {
  const char* isa = "";

  // -- matmul.inl
  // A tile of C is mr × nr, a block of k at most kc; `scratch` is what matmul_block wants, in
  // floats.
  int64_t matmul_mr = 0, matmul_nr = 0, matmul_kc = 0, matmul_scratch = 0;
  void (*matmul_pack)(const MatmulPack&) = nullptr;
  void (*matmul_block)(const MatmulBlock&) = nullptr;

  // -- int8.inl
  // A panel is int8_nr columns wide; a tile takes int8_mr rows.
  int64_t int8_mr = 0, int8_nr = 0;
  void (*int8_pack)(const Int8Pack&) = nullptr;
  void (*int8_rows)(const Int8Rows&) = nullptr;
  void (*int8_block)(const Int8Block&) = nullptr;

  // -- embedding.inl
  void (*embedding_forward)(const EmbeddingForward&, Range tokens) = nullptr;
  void (*embedding_forward_bf16)(const EmbeddingForward&, Range tokens) = nullptr;
  void (*embedding_backward)(const EmbeddingBackward&, Range columns_of_16) = nullptr;

  // -- norm.inl
  void (*rmsnorm_forward)(const RmsNormForward&, Range rows) = nullptr;
  void (*rmsnorm_backward_input)(const RmsNormBackward&, Range rows) = nullptr;
  void (*rmsnorm_backward_weight)(const RmsNormBackward&, Range columns_of_16) = nullptr;

  // -- rope.inl
  void (*qk_norm_rope_forward)(const QkNormRopeForward&, Range rows) = nullptr;
  // rstds [T, Hq+Hkv]: written by the input pass, read by the weight pass, whose items are
  // blocks of 16 of the head's D/2 pairs: first dq_norm's, then dk_norm's.
  void (*qk_norm_rope_backward_input)(const QkNormRopeBackward&, float* rstds,
                                      Range rows) = nullptr;
  void (*qk_norm_rope_backward_weight)(const QkNormRopeBackward&, const float* rstds,
                                       Range items) = nullptr;

  // -- attention_packed.inl, attention_backward.inl, attention_cached.inl
  // One item each (see cpu/attention.h); kv_append's are sequence·Hkv + key/value head.
  void (*attention_forward)(const AttentionForward&, float* scratch,
                            const AttentionItem&) = nullptr;
  void (*attention_backward)(const AttentionBackward&, float* scratch,
                             const AttentionBackwardItem&) = nullptr;
  void (*kv_append)(const KvAppend&, Range items) = nullptr;
  // `next`: what the thread is likely to be given next, or null.
  void (*attention_cached)(const AttentionCached&, float* scratch, const AttentionItem&,
                           const AttentionItem* next) = nullptr;

  // -- swiglu.inl
  void (*swiglu_forward)(const SwigluForward&, Range rows) = nullptr;
  void (*swiglu_backward)(const SwigluBackward&, Range rows) = nullptr;

  // -- dropout.inl
  void (*dropout)(const Dropout&, float threshold, float scale, Range rows) = nullptr;

  // -- lm_head.inl, sample.inl
  void (*logits_forward)(const LogitsForward&, Range rows) = nullptr;
  void (*logits_backward)(const LogitsBackward&, Range rows) = nullptr;
  void (*scale_columns)(const ScaleColumns&, Range rows) = nullptr;
  // Rows whose top_k, top_p and min_p are off; token −1 marks a row that is not finite.
  void (*sample)(const Sample&, Range rows) = nullptr;
  // Parts for the restricted sampler (cpu/sample.cpp).
  SoftmaxSums (*softmax_sums)(const float* logits, int64_t n, float inv_temperature) = nullptr;
  int64_t (*ids_between)(const float* logits, int64_t n, float inv_temperature, float floor,
                         float ceiling, int32_t* ids) = nullptr;
  void (*minus_gumbels)(const uint32_t* words, float* out, int64_t n) = nullptr;
  void (*exponentials)(const float* x, float* out, int64_t n) = nullptr;
  float (*logarithm)(float x) = nullptr;

  // -- optimizer.inl
  void (*adamw)(const AdamW&, const AdamWFactors&, Range elements) = nullptr;
  double (*sum_of_squares)(const float* x, Range elements) = nullptr;
  void (*scale)(float* x, float factor, Range elements) = nullptr;
  void (*lerp)(float* dst, const float* src, float alpha, Range elements) = nullptr;

  // Register-resident fused multiply-adds, for the ceiling that benchmarks report against; returns
  // a value that depends on all of them. `iterations` × 2·matmul_mr·matmul_nr operations.
  float (*fma_peak)(int64_t iterations) = nullptr;
  // Reads n floats, for the memory bandwidth; returns a value that depends on all of them.
  float (*read_all)(const float* x, int64_t n) = nullptr;
};

const KernelTable& scalar_kernels();
const KernelTable& neon_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512vnni_kernels();  // avx512's, and the int8 products of its own
const KernelTable& avx512bf16_kernels();  // avx512vnni's, and the other products of its own

}  // namespace kogrpo
