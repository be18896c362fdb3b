// All kernels of one instruction set. No standard library templates in here: a function
// instantiated under these flags could be the copy that the linker keeps for the whole program.
#include "cpu/kernels.h"
#include "cpu/kernels/partial.inl"
#include "cpu/simd.h"
// kernels
#include "cpu/kernels/attention_backward.inl"
#include "cpu/kernels/attention_cached.inl"
#include "cpu/kernels/attention_packed.inl"
#include "cpu/kernels/bf16.inl"
#include "cpu/kernels/dropout.inl"
#include "cpu/kernels/embedding.inl"
#include "cpu/kernels/int8.inl"
#include "cpu/kernels/lm_head.inl"
#include "cpu/kernels/matmul.inl"
#include "cpu/kernels/norm.inl"
#include "cpu/kernels/optimizer.inl"
#include "cpu/kernels/rope.inl"
#include "cpu/kernels/sample.inl"
#include "cpu/kernels/swiglu.inl"

#define KOGRPO_STRING(x) #x
#define KOGRPO_NAME(x) KOGRPO_STRING(x)

namespace kogrpo::KOGRPO_ISA {

inline const KernelTable& table() {
  static constexpr KernelTable kTable = {
      .isa = KOGRPO_NAME(KOGRPO_ISA),
      .matmul_mr = kMatmulMr,
      .matmul_nr = kMatmulNr,
      .matmul_kc = kKc,
      .matmul_scratch = kMatmulScratch,
      .matmul_pack = matmul_pack,
      .matmul_block = matmul_block,
      .int8_mr = kInt8Mr,
      .int8_nr = kInt8Nr,
      .int8_pack = int8_pack,
      .int8_rows = int8_rows,
      .int8_block = int8_block,
      .embedding_forward = embedding_forward,
      .embedding_forward_bf16 = embedding_forward_bf16,
      .embedding_backward = embedding_backward,
      .rmsnorm_forward = rmsnorm_forward,
      .rmsnorm_backward_input = rmsnorm_backward_input,
      .rmsnorm_backward_weight = rmsnorm_backward_weight,
      .qk_norm_rope_forward = qk_norm_rope_forward,
      .qk_norm_rope_backward_input = qk_norm_rope_backward_input,
      .qk_norm_rope_backward_weight = qk_norm_rope_backward_weight,
      .attention_forward = attention_forward,
      .attention_backward = attention_backward,
      .kv_append = kv_append,
      .attention_cached = attention_cached,
      .swiglu_forward = swiglu_forward,
      .swiglu_backward = swiglu_backward,
      .dropout = dropout,
      .logits_forward = logits_forward,
      .logits_backward = logits_backward,
      .scale_columns = scale_columns,
      .sample = sample,
      .softmax_sums = softmax_sums,
      .ids_between = ids_between,
      .minus_gumbels = minus_gumbels,
      .exponentials = exponentials,
      .logarithm = logarithm,
      .adamw = adamw,
      .sum_of_squares = sum_of_squares,
      .scale = scale,
      .lerp = lerp,
      .fma_peak = fma_peak,
      .read_all = read_all,
  };
  return kTable;
}

}  // namespace kogrpo::KOGRPO_ISA
