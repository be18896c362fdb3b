#pragma once
// What the attention kernels share: where keys and values lie (a packed batch,
// or pages), how packed rows map to tokens and heads, and tiles of bf16 in
// shared memory. See attention_schedule.h for the packing, device.cuh for
// fragments.

#include "cuda/attention_schedule.h"
#include "cuda/context.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "ops/ops.h"

namespace kogrpo::cuda {

constexpr int kKeys = 64;  // keys per tile: a page
static_assert(kKeys == kPageTokens);
constexpr float kLog2e = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
constexpr float kNoScore = -__builtin_huge_valf();

// Keys and values of a packed batch, [T, Hkv·D].
template <class T>
struct PackedKv {
  const T *k, *v;
  int64_t k_stride, v_stride;
  int head_dim;

  __device__ int64_t row(const Span& s, int position) const {
    return position < s.position ? s.root + position : int64_t(s.row) + position - s.position;
  }
  __device__ const T* key(const Span& s, int head, int position) const {
    return k + row(s, position) * k_stride + head * head_dim;
  }
  __device__ const T* value(const Span& s, int head, int position) const {
    return v + row(s, position) * v_stride + head * head_dim;
  }
};

// The same in pages: [page][Hkv][64][D], keys and values alike.
template <class T>
struct PagedKv {
  const T *k, *v;
  const int32_t* table;
  int64_t max_pages;
  int kv_heads, head_dim;

  __device__ int64_t at(const Span& s, int head, int position) const {
    const int64_t page = table[s.sequence * max_pages + position / kKeys];
    return ((page * kv_heads + head) * kKeys + position % kKeys) * head_dim;
  }
  __device__ const T* key(const Span& s, int head, int position) const {
    return k + at(s, head, position);
  }
  __device__ const T* value(const Span& s, int head, int position) const {
    return v + at(s, head, position);
  }
};

// A tile of bf16 rows in shared memory. The 16 bytes of padding put the eight
// rows that a matrix load touches into different banks.
template <int D>
struct SharedTile {
  static constexpr int stride = D + 8;
  static constexpr int bytes(int rows) { return rows * stride * int(sizeof(bf16)); }
  bf16* base;

  // For the A operand: rows `row` … row+15, columns `col` … col+15.
  __device__ __forceinline__ void load_a(uint32_t (&a)[4], int row, int col) const {
    load_matrices(a, base + (row + lane() % 16) * stride + col + lane() / 16 * 8);
  }
  // For B = Xᵀ of the tile's rows (n) and columns (k): two n-tiles of 8, words
  // {0,1} and {2,3}.
  __device__ __forceinline__ void load_b(uint32_t (&b)[4], int n, int k) const {
    load_matrices(b, base + (n + lane() % 8 + lane() / 16 * 8) * stride + k + lane() / 8 % 2 * 8);
  }
  // For B = X itself, rows are k, columns n: two n-tiles.
  __device__ __forceinline__ void load_b_rows(uint32_t (&b)[4], int k, int n) const {
    load_matrices_transposed(b, base + (k + lane() % 16) * stride + n + lane() / 16 * 8);
  }
};

// Starts copying `rows` rows of which the first `valid` exist; the rest become
// 0. `from(r)` is the address of row r.
template <int D, int threads, class From>
__device__ __forceinline__ void copy_rows(const SharedTile<D>& tile, int rows, int valid,
                                          From&& from) {
  constexpr int chunks = D / 8;
  for (int i = int(threadIdx.x); i < rows * chunks; i += threads) {
    const int r = i / chunks, c = i % chunks * 8;
    const bool exists = r < valid;
    copy_async16(tile.base + r * SharedTile<D>::stride + c, from(exists ? r : 0) + c, exists);
  }
}

// The C of a product as the A of the next: n-tiles 2k and 2k+1, rounded to
// bf16.
__device__ __forceinline__ void to_a(uint32_t (&a)[4], const float (&low)[4],
                                     const float (&high)[4]) {
  a[0] = pack_bf16(low[0], low[1]);
  a[1] = pack_bf16(low[2], low[3]);
  a[2] = pack_bf16(high[0], high[1]);
  a[3] = pack_bf16(high[2], high[3]);
}

// Sum and maximum over the four lanes that hold one row of a C fragment.
__device__ __forceinline__ float row_sum(float x) {
  x += shuffle_xor(x, 1);
  return x + shuffle_xor(x, 2);
}
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, shuffle_xor(x, 1));
  return fmaxf(x, shuffle_xor(x, 2));
}

// What a launcher needs to know of a call; a plain struct, so that kernels
// share one ABI.
struct AttentionShape {
  int q_heads, kv_heads, head_dim, group;
  float scale;
};

// attention_forward.cu: matrix instructions, bf16, head_dim 32, 64 or 128. lse
// may be null.
void attention_forward_mma(Context&, const AttentionShape&, const std::vector<Span>&,
                           const Tensor& q, const PackedKv<bf16>&, const Tensor& out, float* lse,
                           int64_t lse_stride);
void attention_forward_mma(Context&, const AttentionShape&, const std::vector<Span>&,
                           const Tensor& q, const PagedKv<bf16>&, const Tensor& out, float* lse,
                           int64_t lse_stride);
// attention_backward.cu
void attention_backward_mma(Context&, const AttentionShape&, const AttentionBackward&,
                            const std::vector<Span>&);
// attention_decode.cu: spans of one token.
void attention_decode(Context&, const AttentionShape&, const std::vector<Span>&, const Tensor& q,
                      const PagedKv<bf16>&, const Tensor& out);
// The same of a step of the queue, whose plan is `context.step`; `_step` here and below.
void attention_decode_step(Context&, const AttentionShape&, const Tensor& q, const PagedKv<bf16>&,
                           const Tensor& out);
void attention_forward_mma_step(Context&, const AttentionShape&, const Tensor& q,
                                const PagedKv<bf16>&, const Tensor& out);
template <class T>
void attention_forward_simple_step(Context&, const AttentionShape&, const Tensor& q,
                                   const PagedKv<T>&, const Tensor& out);
// attention_simple.cu: any head_dim up to 256, fp32 or bf16, without matrix
// instructions.
template <class T, class Kv>
void attention_forward_simple(Context&, const AttentionShape&, const std::vector<Span>&,
                              const Tensor& q, const Kv&, const Tensor& out, float* lse,
                              int64_t lse_stride);
template <class T>
void attention_backward_simple(Context&, const AttentionShape&, const AttentionBackward&,
                               const std::vector<Span>&);

}  // namespace kogrpo::cuda
