// Attention backward for Hopper (attention_backward_sm90.cuh), bf16, head dim 128, deterministic: a
// block owns every gradient that it writes and sums it in the order of positions (and of the heads
// of a group), so there are no atomics and nothing depends on the schedule. Three kernels:
//   numbers   lse·log2 e and delta = Σ_d dout·out per row and head
//   dq        S, dP, dQ          3 products     attention_backward_query_sm90.cu
//   dk, dv    S, dP, dV, dK      4 products     attention_backward_key_sm90.cu
// Seven products where one kernel that adds dQ into fp32 memory as it goes needs five; in return
// there is no such memory (168 MB at 8k tokens and 40 heads) and none of its traffic, which limits
// that form (PR 2889 of FlashAttention: 530 TFLOP/s with it, 747 without it).
//
// Prediction (nothing here has run on a GPU): a dq step of 128 queries and 64 keys is 3 · 2·128·64·
// 128 FLOP = 1,536 cycles of the tensor core, reads 160 KiB of shared memory (1,280 cycles) and
// computes 8,192 exponentials (512 cycles); a dk, dv step of 128 keys and 64 queries 2,048, 192 KiB
// (1,536) and 512. If products take 75 % of the time, 7/5 of the counted work at 1.6 GHz gives some
// 400 TFLOP/s counted as five products at 8k: below the best published 540.

#include "cuda/attention_backward_sm90.cuh"
#include "cuda/context.h"
#include "cuda/dispatch.h"
#include "cuda/runtime.h"
#include "cuda/tensor_map.h"

namespace kogrpo::cuda {
namespace {

__global__ void hopper_code_kernel(int* present) {
  *present = KOGRPO_SM90A;
}

// One warp per row and head.
__global__ void __launch_bounds__(256)
    row_numbers_kernel(const bf16* dout, int64_t dout_stride, const bf16* out, int64_t out_stride,
                       const float* lse, int64_t lse_stride, RowNumbers* numbers, int rows,
                       int heads) {
  const int64_t item = int64_t(blockIdx.x) * 8 + warp();
  if (item >= int64_t(rows) * heads) return;
  const int64_t row = item / heads;
  const int head = int(item % heads);
  const auto a = load<4>(dout + row * dout_stride + head * kDim + lane() * 4);
  const auto b = load<4>(out + row * out_stride + head * kDim + lane() * 4);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) sum = fmaf(to_float(a.v[i]), to_float(b.v[i]), sum);
  sum = warp_sum(sum);
  if (lane() == 0)
    numbers[int64_t(head) * rows + row] = {lse[row * lse_stride + head] * kLog2, sum};
}

}  // namespace

bool hopper_code(Context& context) {
  if (!context.hopper_code) {
    int present = 0;
    if (context.properties.major == 9 && context.properties.minor == 0) {
      int* const there = context.scratch<int>(1);
      launch(context.stream(), "hopper_code", {dim3(1), dim3(1)}, hopper_code_kernel, there);
      KOGRPO_CUDA(cudaMemcpyAsync(&present, there, sizeof present, cudaMemcpyDeviceToHost,
                                  context.stream()));
      context.synchronize();
    }
    context.hopper_code = present != 0;
  }
  return *context.hopper_code;
}

void attention_backward_sm90(Context& context, const AttentionBackward& a) {
  const int32_t* cu = a.cu_seqlens.i32();
  std::vector<PackedSequence> sequences;
  for (int64_t s = 0; s + 1 < a.cu_seqlens.cols; ++s)
    if (cu[s + 1] > cu[s]) sequences.push_back({cu[s], cu[s + 1] - cu[s], 0, 0});
  const int heads = int(a.q_heads), kv_heads = int(a.kv_heads), rows = int(a.q.rows);
  const auto queries = query_tiles_sm90(sequences), keys = key_tiles_sm90(sequences);
  const QueryTile* query_tiles = context.upload(queries.data(), queries.size());
  const QueryTile* key_tiles = context.upload(keys.data(), keys.size());
  auto* numbers = context.scratch<RowNumbers>(size_t(rows) * size_t(heads));
  launch(context.stream(), "attention_backward: numbers (sm_90a)",
         {dim3(unsigned(divide_up(int64_t(rows) * heads, 8))), dim3(256)}, row_numbers_kernel,
         data<bf16>(a.dout), a.dout.stride, data<bf16>(a.out), a.out.stride, a.lse.f32(),
         a.lse.stride, numbers, rows, heads);

  GradientProblem p{};
  p.q = data<bf16>(a.q);
  p.k = data<bf16>(a.k);
  p.v = data<bf16>(a.v);
  p.dout = data<bf16>(a.dout);
  p.q_stride = a.q.stride;
  p.k_stride = a.k.stride;
  p.v_stride = a.v.stride;
  p.dout_stride = a.dout.stride;
  p.numbers = numbers;
  p.q_heads = heads;
  p.kv_heads = kv_heads;
  p.group = heads / kv_heads;
  p.total_rows = rows;
  p.scale = a.scale;

  p.tiles = query_tiles;
  p.items = int(queries.size()) * heads;
  p.first = data<bf16>(a.dq);
  p.first_stride = a.dq.stride;
  launch_query_gradient(context,
                        {tensor_map(a.q, kTileRows), tensor_map(a.k, kStep), tensor_map(a.v, kStep),
                         tensor_map(a.dout, kTileRows)},
                        p);
  p.tiles = key_tiles;
  p.items = int(keys.size()) * kv_heads;
  p.first = data<bf16>(a.dk);
  p.second = data<bf16>(a.dv);
  p.first_stride = a.dk.stride;
  p.second_stride = a.dv.stride;
  launch_key_gradient(context,
                      {tensor_map(a.q, kStep), tensor_map(a.k, kTileKeys),
                       tensor_map(a.v, kTileKeys), tensor_map(a.dout, kStep)},
                      p);
}

}  // namespace kogrpo::cuda
