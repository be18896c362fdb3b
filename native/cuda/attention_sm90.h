#pragma once
// Attention for compute capability 9.0, head dim 128, bf16 (attention_forward_sm90.cu,
// attention_backward_sm90.cu): what the dispatch calls, and how the work is cut and ordered.

#include <cstdint>
#include <vector>

#include "ops/ops.h"

namespace kogrpo::cuda {

class Context;

// A sequence of a packed batch: its rows [row, row + tokens) stand at positions prefix, prefix+1, …
// The keys of positions below `prefix` are rows [root, root + prefix), written by another sequence.
struct PackedSequence {
  int32_t row = 0, tokens = 0, prefix = 0, root = 0;
};

// 128 query rows (fewer at a sequence's end) of one sequence.
struct QueryTile {
  PackedSequence sequence;
  int32_t first = 0;  // of the sequence's tokens
};

constexpr int kTileRows = 128, kTileKeys = 128;

// Tiles in the order of the number of keys that they see, most first; equal ones in the sequences'
// order.
std::vector<QueryTile> query_tiles_sm90(const std::vector<PackedSequence>&);
// Tiles of 128 keys of sequences without a prefix, those that most queries see first.
std::vector<QueryTile> key_tiles_sm90(const std::vector<PackedSequence>&);

// The item of work that block b of `blocks` takes in round i: a permutation of the items round by
// round, ascending in even rounds and descending in odd ones. Dealt like this, items sorted by
// length give every block nearly the same total, and all blocks are at similar items (the heads of
// one tile) at any time, so that keys and values come from the L2 cache.
#if defined(__CUDACC__)
__host__ __device__
#endif
    constexpr int
    snake(int i, int b, int blocks) {
  return i * blocks + (i % 2 == 0 ? b : blocks - 1 - b);
}

// Whether the device is of compute capability 9.0 and its code here is sm_90a's: in a build for
// sm_90 or sm_80 alone the kernels below are empty. Asked of the device once, which is waited for.
bool hopper_code(Context&);

// q [T,Hq·128], k and v [T,Hkv·128] → out [T,Hq·128], lse [T,Hq] (may be null; rows lse_stride
// apart). Every row of every tensor begins on 16 bytes.
void attention_forward_sm90(Context&, int q_heads, int kv_heads, float scale,
                            const std::vector<PackedSequence>&, const Tensor& q, const Tensor& k,
                            const Tensor& v, const Tensor& out, float* lse, int64_t lse_stride);
// The gradients of a batch without shared prefixes; tensors as in the forward.
void attention_backward_sm90(Context&, const AttentionBackward&);

}  // namespace kogrpo::cuda
