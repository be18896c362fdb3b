#pragma once
// The table of serial kernels that each instruction set provides (cpu/kernels/*.inl compiled by
// cpu/kernels_<isa>.cpp). A kernel does a range of an operation's independent work items; CpuOps
// splits the items over the pool. What an item is, the comment behind each entry says.

#include "ops/ops.h"

namespace kogrpo {

struct Range {
  int64_t begin = 0, end = 0;
};

struct MatmulTile;  // cpu/matmul.h

struct AttentionItem;          // cpu/attention.h
struct AttentionBackwardItem;  // cpu/attention.h

struct KernelTable {
  const char* isa = "";

  // -- matmul.inl
  // (owned by the matrix product; see cpu/matmul.h)
  int64_t matmul_mr = 0, matmul_nr = 0;
  void (*matmul_tile)(const MatmulTile&) = nullptr;

  // -- embedding.inl
  void (*embedding_forward)(const EmbeddingForward&, Range tokens) = nullptr;
  void (*embedding_backward)(const EmbeddingBackward&, Range columns_of_16) = nullptr;

  // -- norm.inl
  void (*rmsnorm_forward)(const RmsNormForward&, Range rows) = nullptr;
  void (*rmsnorm_backward_input)(const RmsNormBackward&, Range rows) = nullptr;
  void (*rmsnorm_backward_weight)(const RmsNormBackward&, Range columns_of_16) = nullptr;

  // -- rope.inl
  void (*qk_norm_rope_forward)(const QkNormRopeForward&, Range rows) = nullptr;
  void (*qk_norm_rope_backward_input)(const QkNormRopeBackward&, Range rows) = nullptr;
  void (*qk_norm_rope_backward_weight)(const QkNormRopeBackward&, Range columns_of_16) = nullptr;

  // -- attention.inl
  // One item each (see cpu/attention.h); kv_append's are sequence·Hkv + key/value head.
  void (*attention_forward)(const AttentionForward&, float* scratch, const AttentionItem&) = nullptr;
  void (*attention_backward)(const AttentionBackward&, float* scratch,
                             const AttentionBackwardItem&) = nullptr;
  void (*kv_append)(const KvAppend&, Range items) = nullptr;
  void (*attention_cached)(const AttentionCached&, float* scratch, const AttentionItem&) = nullptr;

  // -- swiglu.inl
  void (*swiglu_forward)(const SwigluForward&, Range rows) = nullptr;
  void (*swiglu_backward)(const SwigluBackward&, Range rows) = nullptr;

  // -- lm_head.inl, sample.inl
  void (*logits_forward)(const LogitsForward&, Range rows) = nullptr;
  void (*logits_backward)(const LogitsBackward&, Range rows) = nullptr;
  void (*sample)(const Sample&, Range rows) = nullptr;

  // -- optimizer.inl
  void (*adamw)(const AdamW&, float bias1, float bias2, Range elements) = nullptr;
  double (*sum_of_squares)(const float* x, Range elements) = nullptr;
  void (*scale)(float* x, float factor, Range elements) = nullptr;
  void (*lerp)(float* dst, const float* src, float alpha, Range elements) = nullptr;

  // Register-resident fused multiply-adds, for the ceiling that benchmarks report against; returns
  // a value that depends on all of them. `iterations` × 2·matmul_mr·matmul_nr operations.
  float (*fma_peak)(int64_t iterations) = nullptr;
};

const KernelTable& scalar_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx512_kernels();

}  // namespace kogrpo
