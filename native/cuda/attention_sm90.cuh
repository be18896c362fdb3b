#pragma once
// What the sm_90a attention kernels share: how a producer fills tiles, the way of probabilities
// from one product's registers into the next, and the way of results to memory. See hopper.cuh for
// tiles and fragments.

#include "cuda/attention_sm90.h"
#include "cuda/hopper.cuh"

namespace kogrpo::cuda {

constexpr int kDim = 128;  // of a head
constexpr float kLog2 = 1.4426950408889634f;

// Rows of the tile from position `first` on, one by one; those from position `end` on become 0.
template <int R>
__device__ __forceinline__ void copy_rows(SwizzledTile<R> to, const bf16* from, int64_t stride,
                                          const PackedSequence& s, int first, int end) {
  char* const shared = shared_pointer(to.base);
  for (int i = lane(); i < R * (kDim / 8); i += kWarp) {
    const int r = i / (kDim / 8), c = i % (kDim / 8), position = first + r;
    const bool exists = position < end;
    const int row = !exists               ? s.row
                    : position < s.prefix ? s.root + position
                                          : s.row + position - s.prefix;
    copy_async16(shared + SwizzledTile<R>::chunk(r, c), from + row * stride + c * 8, exists);
  }
}

// A matrix of a packed batch, 128 columns per head: by its map, and by address.
struct Source {
  const TensorMap& map;
  const bf16* data;
  int64_t stride;
  int rows;
};

// By one warp: the tile of positions first … first+R−1 of a sequence into a buffer that is empty,
// arriving once at `full`. What lies beyond position `end` is not needed; if `zeros` it must be 0
// rather than the rows of another sequence.
template <int R>
__device__ __forceinline__ void produce(SwizzledTile<R> to, const Source& from, int head,
                                        const PackedSequence& s, int first, int end, bool zeros,
                                        uint32_t full) {
  const int last = first + R, length = s.prefix + s.tokens;
  const bool shared_rows = last <= s.prefix, own_rows = first >= s.prefix;
  const bool strangers = last > length && s.row + s.tokens < from.rows;
  if (shared_rows || (own_rows && !(zeros && strangers))) {
    if (lane() == 0) {
      barrier_arrive_expect(full, SwizzledTile<R>::bytes);
      load_tile(to, from.map, head * kDim, shared_rows ? s.root + first : s.row + first - s.prefix,
                full);
    }
    return;
  }
  copy_rows(to, from.data + head * kDim, from.stride, s, first, end);
  copy_async_commit();
  copy_async_wait<0>();
  fence_async_proxy();
  warp_sync();
  if (lane() == 0) barrier_arrive(full);
}

// A warp has finished reading a buffer.
__device__ __forceinline__ void release(uint32_t empty) {
  if (lane() == 0) barrier_arrive(empty);
}

// 16n columns of a result, rounded, as the A operand of n products.
template <int n>
__device__ __forceinline__ void to_operand(uint32_t (&a)[n][4], const float (&c)[8 * n]) {
#pragma unroll
  for (int k = 0; k < n; ++k)
#pragma unroll
    for (int w = 0; w < 4; ++w) a[k][w] = pack_bf16(c[8 * k + 2 * w], c[8 * k + 2 * w + 1]);
}

// Four words, of columns 2t, 2t+1 of four 8-column tiles, lane t of a quad, become the eight
// columns of tile t: the quad's lanes write 16 bytes each instead of 4.
__device__ __forceinline__ Vec<uint32_t, 4> transpose_quad(const uint32_t (&a)[4]) {
  const bool upper = lane() & 2, odd = lane() & 1;
  const uint32_t keep0 = upper ? a[2] : a[0], keep1 = upper ? a[3] : a[1];
  const uint32_t got0 = shuffle_xor(upper ? a[0] : a[2], 2);
  const uint32_t got1 = shuffle_xor(upper ? a[1] : a[3], 2);
  // Now of tiles (t & 2) and (t & 2) + 1: this lane's word and lane t ^ 2's.
  const uint32_t mine = odd ? keep1 : keep0, across = odd ? got1 : got0;
  const uint32_t next = shuffle_xor(odd ? keep0 : keep1, 1);
  const uint32_t diagonal = shuffle_xor(odd ? got0 : got1, 1);
  const uint32_t near0 = odd ? next : mine, near1 = odd ? mine : next;
  const uint32_t far0 = odd ? diagonal : across, far1 = odd ? across : diagonal;
  return {upper ? far0 : near0, upper ? far1 : near1, upper ? near0 : far0, upper ? near1 : far1};
}

// Row i (0, 1) of a lane's two, times `factor`, to 128 consecutive elements. By all lanes of a
// quad; nothing is written unless `exists`.
__device__ __forceinline__ void store_row(bf16* to, const float (&c)[64], int i, float factor,
                                          bool exists) {
#pragma unroll
  for (int b = 0; b < 4; ++b) {
    uint32_t words[4];
#pragma unroll
    for (int n = 0; n < 4; ++n)
      words[n] =
          pack_bf16(c[16 * b + 4 * n + 2 * i] * factor, c[16 * b + 4 * n + 2 * i + 1] * factor);
    const Vec<uint32_t, 4> columns = transpose_quad(words);
    if (exists) store(reinterpret_cast<uint32_t*>(to + (4 * b + lane() % 4) * 8), columns);
  }
}

}  // namespace kogrpo::cuda
