// AVX-512 with AVX512_BF16: all products but int8's again and what writes their operands,
// everything else from the table below it.
#include "cpu/kernels.h"
#include "cpu/kernels/partial.inl"
#include "cpu/simd.h"
// kernels
#include "cpu/kernels/attention_backward.inl"
#include "cpu/kernels/attention_cached.inl"
#include "cpu/kernels/attention_packed.inl"
#include "cpu/kernels/bf16.inl"
#include "cpu/kernels/lm_head.inl"
#include "cpu/kernels/matmul.inl"
#include "cpu/kernels/norm.inl"
#include "cpu/kernels/swiglu.inl"

namespace kogrpo {
const KernelTable& avx512bf16_kernels() {
  static const KernelTable kTable = [] {
    KernelTable table = avx512vnni_kernels();
    table.isa = "avx512bf16";
    table.matmul_pack = avx512bf16::matmul_pack;
    table.matmul_block = avx512bf16::matmul_block;
    table.rmsnorm_forward = avx512bf16::rmsnorm_forward;
    table.attention_forward = avx512bf16::attention_forward;
    table.attention_backward = avx512bf16::attention_backward;
    table.kv_append = avx512bf16::kv_append;
    table.attention_cached = avx512bf16::attention_cached;
    table.swiglu_forward = avx512bf16::swiglu_forward;
    table.swiglu_backward = avx512bf16::swiglu_backward;
    table.logits_backward = avx512bf16::logits_backward;
    table.fma_peak = avx512bf16::fma_peak;
    table.read_all = avx512bf16::read_all;
    return table;
  }();
  return kTable;
}
}  // namespace kogrpo
