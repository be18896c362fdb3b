// C[M,N] (+)= A·B. bf16: tiles of 128×128 by eight warps, 32 of k per step through three stages of
// shared memory, mma with fp32 accumulators. The operands are copied as they lie in memory and
// turned on the way into registers (ldmatrix, plain or transposed), so one kernel serves x·wᵀ, dy·w
// and dyᵀ·x. fp32: tiles of 64×64, 4×4 per thread, plain fused multiply-adds (parity, not speed).

#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/matmul.cuh"

namespace kogrpo::cuda {
namespace {

constexpr int kM = 128, kN = 128, kK = 32, kStages = 3, kThreads = 256;
constexpr int kWarpM = 64, kWarpN = 32;  // of a warp: 2 × 4 warps

// An operand's tile in shared memory: [outer][k] or, lying across, [k][outer]; padded by 16 bytes.
template <bool across>
struct OperandTile {
  static constexpr int rows = across ? kK : kM, cols = across ? kM : kK, stride = cols + 8;
  static constexpr int elements = rows * stride;
};
static_assert(kM == kN);

template <bool across>
__device__ __forceinline__ void copy_tile(bf16* to, const bf16* from, int64_t stride, int outer0,
                                          int k0, int outer, int depth) {
  using Tile = OperandTile<across>;
  constexpr int chunks = Tile::cols / 8;
  const int row0 = across ? k0 : outer0, col0 = across ? outer0 : k0;
  const int row_end = across ? depth : outer, col_end = across ? outer : depth;
  for (int i = int(threadIdx.x); i < Tile::rows * chunks; i += kThreads) {
    const int r = i / chunks, c = i % chunks * 8;
    const bool exists = row0 + r < row_end && col0 + c < col_end;
    const int64_t at = exists ? int64_t(row0 + r) * stride + col0 + c : 0;
    copy_async16(to + r * Tile::stride + c, from + at, exists);
  }
}

template <bool a_transposed, bool b_rows, class Out>
__global__ void __launch_bounds__(kThreads)
    multiply_kernel(const bf16* a, int64_t a_stride, const bf16* b, int64_t b_stride, Out* c,
                    int64_t c_stride, int m, int n, int depth, bool accumulate) {
  using TileA = OperandTile<a_transposed>;
  using TileB = OperandTile<b_rows>;
  bf16* const shared = reinterpret_cast<bf16*>(dynamic_shared());
  const auto stage_a = [&](int s) {
    return shared + (s % kStages) * (TileA::elements + TileB::elements);
  };
  const auto stage_b = [&](int s) { return stage_a(s) + TileA::elements; };
  const int m0 = int(blockIdx.x) * kM, n0 = int(blockIdx.y) * kN;
  const int warp_m = warp() / 4 * kWarpM, warp_n = warp() % 4 * kWarpN;
  const int steps = (depth + kK - 1) / kK;
  const auto copy_step = [&](int t) {
    if (t < steps) {
      copy_tile<a_transposed>(stage_a(t), a, a_stride, m0, t * kK, m, depth);
      copy_tile<b_rows>(stage_b(t), b, b_stride, n0, t * kK, n, depth);
    }
    copy_async_commit();
  };
  for (int t = 0; t < kStages - 1; ++t) copy_step(t);

  float acc[kWarpM / 16][kWarpN / 8][4] = {};
  for (int t = 0; t < steps; ++t) {
    copy_async_wait<kStages - 2>();
    block_sync();
    copy_step(t + kStages - 1);
    const bf16 *ta = stage_a(t), *tb = stage_b(t);
#pragma unroll
    for (int k = 0; k < kK; k += 16) {
      uint32_t fa[kWarpM / 16][4], fb[kWarpN / 16][4];
#pragma unroll
      for (int i = 0; i < kWarpM / 16; ++i) {
        const int row = warp_m + i * 16;
        if (a_transposed)
          load_matrices_transposed(fa[i], ta + (k + lane() % 8 + lane() / 16 * 8) * TileA::stride +
                                              row + lane() / 8 % 2 * 8);
        else
          load_matrices(fa[i], ta + (row + lane() % 16) * TileA::stride + k + lane() / 16 * 8);
      }
#pragma unroll
      for (int j = 0; j < kWarpN / 16; ++j) {
        const int col = warp_n + j * 16;
        if (b_rows)
          load_matrices_transposed(fb[j],
                                   tb + (k + lane() % 16) * TileB::stride + col + lane() / 16 * 8);
        else
          load_matrices(fb[j], tb + (col + lane() % 8 + lane() / 16 * 8) * TileB::stride + k +
                                   lane() / 8 % 2 * 8);
      }
#pragma unroll
      for (int i = 0; i < kWarpM / 16; ++i)
#pragma unroll
        for (int j = 0; j < kWarpN / 8; ++j)
          mma(acc[i][j], fa[i], fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]);
    }
  }
#pragma unroll
  for (int i = 0; i < kWarpM / 16; ++i)
#pragma unroll
    for (int j = 0; j < kWarpN / 8; ++j)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = m0 + warp_m + i * 16 + lane() / 4 + half * 8;
        const int col = n0 + warp_n + j * 8 + lane() % 4 * 2;
        if (row >= m || col >= n) continue;
        Out* const to = c + int64_t(row) * c_stride + col;  // n is even
        Vec<Out, 2> out;
        if (accumulate) out = load<2>(to);
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const float v = acc[i][j][half * 2 + e];
          out.v[e] = from_float<Out>(accumulate ? to_float(out.v[e]) + v : v);
        }
        store(to, out);
      }
}

constexpr int kTile = 64, kDepth = 16;

// Element (outer, k) of an operand is at outer·outer_step + k·k_step.
struct Operand32 {
  const float* p;
  int64_t outer_step, k_step;
};

__global__ void __launch_bounds__(kThreads)
    multiply32_kernel(Operand32 a, Operand32 b, float* c, int64_t c_stride, int m, int n, int depth,
                      bool accumulate) {
  __shared__ float ta[kDepth][kTile + 4], tb[kDepth][kTile + 4];
  const int m0 = int(blockIdx.x) * kTile, n0 = int(blockIdx.y) * kTile;
  const int row = int(threadIdx.x) / 16 * 4, col = int(threadIdx.x) % 16 * 4;
  float acc[4][4] = {};
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (accumulate && m0 + row + i < m && n0 + col + j < n)
        acc[i][j] = c[int64_t(m0 + row + i) * c_stride + n0 + col + j];
  for (int k0 = 0; k0 < depth; k0 += kDepth) {
    for (int i = int(threadIdx.x); i < kTile * kDepth; i += kThreads) {
      // Threads next to each other read along the operand's contiguous direction.
      const int ka = a.k_step == 1 ? i % kDepth : i / kTile,
                oa = a.k_step == 1 ? i / kDepth : i % kTile;
      const int kb = b.k_step == 1 ? i % kDepth : i / kTile,
                ob = b.k_step == 1 ? i / kDepth : i % kTile;
      ta[ka][oa] = m0 + oa < m && k0 + ka < depth
                       ? a.p[(m0 + oa) * a.outer_step + (k0 + ka) * a.k_step]
                       : 0.0f;
      tb[kb][ob] = n0 + ob < n && k0 + kb < depth
                       ? b.p[(n0 + ob) * b.outer_step + (k0 + kb) * b.k_step]
                       : 0.0f;
    }
    block_sync();
    for (int k = 0; k < kDepth; ++k) {
      float x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) x[i] = ta[k][row + i], y[i] = tb[k][col + i];
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) acc[i][j] = fmaf(x[i], y[j], acc[i][j]);
    }
    block_sync();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (m0 + row + i < m && n0 + col + j < n)
        c[int64_t(m0 + row + i) * c_stride + n0 + col + j] = acc[i][j];
}

template <bool a_transposed, bool b_rows, class Out>
void multiply_bf16(Context& context, const Product& p, int m, int n, int depth) {
  constexpr size_t shared = kStages *
                            (OperandTile<a_transposed>::elements + OperandTile<b_rows>::elements) *
                            sizeof(bf16);
  launch(context.stream(), p.op,
         {dim3(unsigned(divide_up(m, kM)), unsigned(divide_up(n, kN))), dim3(kThreads), shared},
         multiply_kernel<a_transposed, b_rows, Out>, data<bf16>(p.a), p.a.stride, data<bf16>(p.b),
         p.b.stride, data<Out>(p.c), p.c.stride, m, n, depth, p.accumulate);
}

}  // namespace

void multiply(Context& context, const Product& p) {
  const int m = int(p.c.rows), n = int(p.c.cols);
  const int depth = int(p.a_transposed ? p.a.rows : p.a.cols);
  if (m == 0 || n == 0) return;
  if (p.a.dtype == DType::f32) {
    const auto operand = [](const Tensor& t, bool across) {
      return Operand32{t.f32(), across ? 1 : t.stride, across ? t.stride : 1};
    };
    launch(context.stream(), p.op,
           {dim3(unsigned(divide_up(m, kTile)), unsigned(divide_up(n, kTile))), dim3(kThreads)},
           multiply32_kernel, operand(p.a, p.a_transposed), operand(p.b, p.b_rows), p.c.f32(),
           p.c.stride, m, n, depth, p.accumulate);
    return;
  }
  for (const auto& [name, t] : {std::pair("the first factor", p.a), {"the second factor", p.b}})
    check::require(wide(t.cols, {t}), p.op,
                   std::string(name) + " must have rows of whole 16 bytes, on 16 bytes");
  check::require(n % 2 == 0 && p.c.stride % 2 == 0, p.op, "the result must have even rows");
  const auto run = [&](auto a_transposed, auto b_rows) {
    if (p.c.dtype == DType::f32)
      multiply_bf16<a_transposed.value, b_rows.value, float>(context, p, m, n, depth);
    else
      multiply_bf16<a_transposed.value, b_rows.value, bf16>(context, p, m, n, depth);
  };
  if (p.a_transposed)
    run(std::true_type(), std::true_type());  // dyᵀ·x
  else if (p.b_rows)
    run(std::false_type(), std::true_type());  // dy·w
  else
    run(std::false_type(), std::false_type());  // x·wᵀ
}

}  // namespace kogrpo::cuda
