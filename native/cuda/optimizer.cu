// AdamW, sums of squares, scaling and interpolation: passes over memory, 16 bytes per access.
//
// The mixed optimizer keeps weights in bf16 and an exact fp32 master in 2 further bytes: the
// master's bits are (weight << 16) + remainder with a signed 16-bit remainder, where weight is the
// master rounded half up. (Rounded half to even, a tie could leave a remainder of +32768, which 16
// bits do not hold.) Nothing is lost between steps; at a learning rate of 1e-6 an update is far
// below half a unit of a bf16 weight, and plain bf16 rounding would discard it.
//
// 8-bit moments: one fp32 scale per block of 256, the block's largest value. m is a sign, 4 bits of
// exponent, 3 of mantissa; √v (half v's range in powers of two) 4 and 4. Rounding is stochastic, by
// Philox keyed with seed, step and element: with β2 = 0.999 a step changes v by less than half a
// unit, so rounding to nearest would freeze it; this way its expectation follows. Bytes per
// element: weight 2+2, remainder 2+2, gradient 2, moments 2+2 and the scales.

#include <cmath>
#include <vector>

#include "cuda/codes.cuh"
#include "cuda/context.h"
#include "cuda/cuda_ops.h"
#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/gumbel.cuh"
#include "ops/adamw.h"
#include "ops/op_checks.h"

namespace kogrpo {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kSumBlock = 65536;

// torch.optim.AdamW's order of operations.
__device__ __forceinline__ float adamw_element(float param, float grad, float& m, float& v,
                                               const AdamWFactors& f) {
  const float g = grad * f.grad_scale;
  m = fmaf(f.beta1, m, f.one_minus_beta1 * g);
  v = fmaf(f.beta2, v, f.one_minus_beta2 * g * g);
  return fmaf(-f.step_size, m / (sqrtf(v) / f.sqrt_bias2 + f.eps), param * f.decay);
}

template <int N>
__global__ void __launch_bounds__(kThreads)
    adamw_kernel(float* param, const float* grad, float* m, float* v, int64_t n, AdamWFactors f) {
  const int64_t i = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= n) return;
  Vec<float, N> p = load<N>(param + i), mm = load<N>(m + i), vv = load<N>(v + i);
  const Vec<float, N> g = load<N>(grad + i);
#pragma unroll
  for (int k = 0; k < N; ++k) p.v[k] = adamw_element(p.v[k], g.v[k], mm.v[k], vv.v[k], f);
  store(param + i, p);
  store(m + i, mm);
  store(v + i, vv);
}

__device__ __forceinline__ float master_of(bf16 weight, int16_t remainder) {
  return bits_to_float((uint32_t(weight.bits) << 16) + uint32_t(int32_t(remainder)));
}
__device__ __forceinline__ void split_master(float master, bf16& weight, int16_t& remainder) {
  const uint32_t u = float_to_bits(master);
  weight.bits = uint16_t((u + 0x8000u) >> 16);
  remainder = int16_t(uint16_t(u));
}

// Moments of eight consecutive elements per thread; a warp holds a block of 256, so a block's
// largest value is a warp's maximum.
struct Float32Moments {
  float* values;
  __device__ void read(int64_t i, float (&x)[8]) const {
    const Vec<float, 4> a = load<4>(values + i), b = load<4>(values + i + 4);
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] = a.v[k], x[k + 4] = b.v[k];
  }
  __device__ void write(int64_t i, const float (&x)[8], bool inside, uint32_t, uint32_t) const {
    Vec<float, 4> a, b;
#pragma unroll
    for (int k = 0; k < 4; ++k) a.v[k] = x[k], b.v[k] = x[k + 4];
    if (!inside) return;
    store(values + i, a);
    store(values + i + 4, b);
  }
};
struct Bf16Moments {
  bf16* values;
  __device__ void read(int64_t i, float (&x)[8]) const {
    const Vec<bf16, 8> a = load<8>(values + i);
#pragma unroll
    for (int k = 0; k < 8; ++k) x[k] = to_float(a.v[k]);
  }
  // Stochastic here too: `random` has 16 bits for each pair of elements' halves.
  __device__ void write(int64_t i, const float (&x)[8], bool inside, uint32_t r0,
                        uint32_t r1) const {
    Vec<bf16, 8> a;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      const uint32_t random = random_byte(r0, r1, k) << 8 | random_byte(r1, r0, k);
      a.v[k].bits = uint16_t((float_to_bits(x[k]) + random) >> 16);
    }
    if (inside) store(values + i, a);
  }
};
template <class Code>
struct CodedMoments {
  uint8_t* codes;
  float* scales;
  __device__ void read(int64_t i, float (&x)[8]) const {
    const Vec<uint8_t, 8> c = load<8>(codes + i);
    const float scale = scales[i / kMomentBlock];
#pragma unroll
    for (int k = 0; k < 8; ++k) x[k] = Code::decode(c.v[k], scale);
  }
  __device__ void write(int64_t i, const float (&x)[8], bool inside, uint32_t r0,
                        uint32_t r1) const {
    float largest = 0;
#pragma unroll
    for (int k = 0; k < 8; ++k) largest = fmaxf(largest, inside ? Code::magnitude(x[k]) : 0.0f);
    largest = warp_max(largest);
    if (!inside) return;
    Vec<uint8_t, 8> c;
#pragma unroll
    for (int k = 0; k < 8; ++k)
      c.v[k] = Code::encode(x[k], largest, (float(random_byte(r0, r1, k)) + 0.5f) * 0x1p-8f);
    store(codes + i, c);
    if (i % kMomentBlock == 0) scales[i / kMomentBlock] = largest;
  }
};

// Eight gradients, of bf16 or of fp32.
__device__ __forceinline__ void read_gradients(const bf16* grad, float (&g)[8]) {
  const Vec<bf16, 8> a = load<8>(grad);
#pragma unroll
  for (int k = 0; k < 8; ++k) g[k] = to_float(a.v[k]);
}
__device__ __forceinline__ void read_gradients(const float* grad, float (&g)[8]) {
  const Vec<float, 4> a = load<4>(grad), b = load<4>(grad + 4);
#pragma unroll
  for (int k = 0; k < 4; ++k) g[k] = a.v[k], g[k + 4] = b.v[k];
}

template <class G, class M, class V>
__global__ void __launch_bounds__(kThreads)
    mixed_adamw_kernel(bf16* param, int16_t* remainder, const G* grad, M m, V v, int64_t n,
                       int64_t first, AdamWFactors f, uint32_t step, uint64_t seed) {
  const int64_t i = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * 8;
  const bool inside = i < n;  // n is a multiple of 8; whole warps take part in the maxima
  float mm[8] = {}, vv[8] = {};
  if (inside) {
    m.read(i, mm);
    v.read(i, vv);
    Vec<bf16, 8> p = load<8>(param + i);
    Vec<int16_t, 8> r = load<8>(remainder + i);
    float g[8];
    read_gradients(grad + i, g);
#pragma unroll
    for (int k = 0; k < 8; ++k)
      split_master(adamw_element(master_of(p.v[k], r.v[k]), g[k], mm[k], vv[k], f), p.v[k], r.v[k]);
    store(param + i, p);
    store(remainder + i, r);
  }
  const uint64_t key = uint64_t(first + i) / 8;
  const Words random = philox_words(uint32_t(key), uint32_t(key >> 32), step, 0x6d6f6d65u, seed);
  m.write(i, mm, inside, random.w[0], random.w[1]);
  v.write(i, vv, inside, random.w[2], random.w[3]);
}

// One double per `grain` elements, the work of a block.
template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    sum_of_squares_kernel(const T* x, int64_t n, int64_t grain, double* partial) {
  __shared__ double shared[kThreads / kWarp];
  const int64_t begin = int64_t(blockIdx.x) * grain;
  const int64_t end = begin + grain < n ? begin + grain : n;
  double sum = 0;
  for (int64_t i = begin + int(threadIdx.x) * N; i < end; i += kThreads * N) {
    const Vec<T, N> v = load<N>(x + i);
#pragma unroll
    for (int k = 0; k < N; ++k) sum += double(to_float(v.v[k])) * double(to_float(v.v[k]));
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

template <int N>
__global__ void __launch_bounds__(kThreads) scale_kernel(float* x, int64_t n, float factor) {
  const int64_t i = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= n) return;
  Vec<float, N> v = load<N>(x + i);
#pragma unroll
  for (int k = 0; k < N; ++k) v.v[k] *= factor;
  store(x + i, v);
}

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    lerp_kernel(T* dst, const T* src, int64_t n, float alpha) {
  const int64_t i = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * N;
  if (i >= n) return;
  Vec<T, N> d = load<N>(dst + i);
  const Vec<T, N> s = load<N>(src + i);
#pragma unroll
  for (int k = 0; k < N; ++k)
    d.v[k] = from_float<T>(fmaf(alpha, to_float(s.v[k]), (1.0f - alpha) * to_float(d.v[k])));
  store(dst + i, d);
}

// Elements that `remainder` (null: of 0) and the weights make masters.
__global__ void __launch_bounds__(kThreads)
    mixed_lerp_kernel(bf16* dst, int16_t* dst_remainder, const bf16* src,
                      const int16_t* src_remainder, int64_t n, float alpha) {
  const int64_t i = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * 8;
  if (i >= n) return;
  Vec<bf16, 8> d = load<8>(dst + i);
  Vec<int16_t, 8> rest = load<8>(dst_remainder + i), other{};
  const Vec<bf16, 8> s = load<8>(src + i);
  if (src_remainder) other = load<8>(src_remainder + i);
#pragma unroll
  for (int k = 0; k < 8; ++k) {
    const float to = master_of(d.v[k], rest.v[k]), from = master_of(s.v[k], other.v[k]);
    split_master(alpha == 1.0f ? from : fmaf(alpha, from, (1.0f - alpha) * to), d.v[k], rest.v[k]);
  }
  store(dst + i, d);
  store(dst_remainder + i, rest);
}

struct PartShape {
  const float* trained;
  bool by_rows;
  int64_t cols, first;
  float yes, no;

  __device__ float factor(int64_t i) const {
    return trained[by_rows ? (first + i) / cols : (first + i) % cols] != 0.0f ? yes : no;
  }
};
template <class T>
__global__ void __launch_bounds__(kThreads) scale_part_kernel(T* x, int64_t n, PartShape part) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const float f = part.factor(i);
  x[i] = f == 0.0f ? from_float<T>(0.0f) : from_float<T>(to_float(x[i]) * f);
}
__global__ void __launch_bounds__(kThreads)
    scale_part_mixed_kernel(bf16* x, int16_t* remainder, int64_t n, PartShape part) {
  const int64_t i = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) split_master(master_of(x[i], remainder[i]) * part.factor(i), x[i], remainder[i]);
}

template <class... Pointers>
bool on_16_bytes(int64_t n, int per, Pointers... p) {
  return n % per == 0 && ((reinterpret_cast<uintptr_t>(p) % 16 == 0) && ...);
}
Launch elementwise(int64_t n, int per) {
  return {dim3(unsigned(divide_up(n, int64_t(kThreads) * per))), dim3(kThreads)};
}

template <class T>
void sums_of_squares(Context& context, const T* x, int64_t n, int64_t grain, double* sums) {
  if (n == 0) return;
  const int64_t blocks = divide_up(n, grain);
  auto* partial = context.scratch<double>(size_t(blocks));
  const bool wide = on_16_bytes(n, kWide<T>, x) && grain % kWide<T> == 0;
  launch(context.stream(), "sum_of_squares", {dim3(unsigned(blocks)), dim3(kThreads)},
         wide ? sum_of_squares_kernel<T, kWide<T>> : sum_of_squares_kernel<T, 1>, x, n, grain,
         partial);
  KOGRPO_CUDA(cudaMemcpyAsync(sums, partial, size_t(blocks) * sizeof(double),
                              cudaMemcpyDeviceToHost, context.stream()));
  context.synchronize();
}

template <class T>
void lerp(Context& context, T* dst, const T* src, int64_t n, float alpha) {
  if (alpha == 0 || n == 0) return;
  if (alpha == 1) {
    KOGRPO_CUDA(cudaMemcpyAsync(dst, src, size_t(n) * sizeof(T), cudaMemcpyDeviceToDevice,
                                context.stream()));
    return;
  }
  if (on_16_bytes(n, kWide<T>, dst, src))
    launch(context.stream(), "lerp", elementwise(n, kWide<T>), lerp_kernel<T, kWide<T>>, dst, src,
           n, alpha);
  else
    launch(context.stream(), "lerp", elementwise(n, 1), lerp_kernel<T, 1>, dst, src, n, alpha);
}

}  // namespace
}  // namespace cuda

using namespace cuda;

void CudaOps::adamw(const AdamW& a) {
  check::adamw("adamw", a);
  const AdamWFactors f = adamw_factors(a);
  if (on_16_bytes(a.n, 4, a.param, a.grad, a.m, a.v))
    launch(context_->stream(), "adamw", elementwise(a.n, 4), adamw_kernel<4>, a.param, a.grad, a.m,
           a.v, a.n, f);
  else
    launch(context_->stream(), "adamw", elementwise(a.n, 1), adamw_kernel<1>, a.param, a.grad, a.m,
           a.v, a.n, f);
}

void CudaOps::mixed_adamw(const MixedAdamW& a) {
  const char* op = "mixed_adamw";
  check::adamw(op, a);
  const AdamWFactors f = adamw_factors(a);
  check::require(a.n == 0 || a.remainder, op, "remainder has no data");
  check::require(a.n % 8 == 0 && a.first % kMomentBlock == 0, op,
                 "n must be a multiple of 8 and first one of " + std::to_string(kMomentBlock));
  check::require(on_16_bytes(0, 1, a.param, a.remainder, a.grad, a.m, a.v), op,
                 "every array must begin on 16 bytes");
  const auto run = [&](auto m, auto v) {
    with_type(op, a.grad_type, [&](auto tag) {
      using G = typename decltype(tag)::type;
      launch(context_->stream(), op, elementwise(a.n, 8),
             mixed_adamw_kernel<G, decltype(m), decltype(v)>, a.param, a.remainder,
             static_cast<const G*>(a.grad), m, v, a.n, a.first, f, uint32_t(a.step), a.seed);
    });
  };
  switch (a.moments) {
    case MomentType::f32:
      return run(Float32Moments{static_cast<float*>(a.m)},
                 Float32Moments{static_cast<float*>(a.v)});
    case MomentType::bf16:
      return run(Bf16Moments{static_cast<bf16*>(a.m)}, Bf16Moments{static_cast<bf16*>(a.v)});
    case MomentType::eight_bit:
      check::require(a.n == 0 || (a.m_scale && a.v_scale), op, "m_scale or v_scale has no data");
      return run(CodedMoments<SignedCode>{static_cast<uint8_t*>(a.m), a.m_scale},
                 CodedMoments<SquareCode>{static_cast<uint8_t*>(a.v), a.v_scale});
  }
}

void CudaOps::mixed_lerp(const MixedLerp& a) {
  const char* op = "mixed_lerp";
  check::require(a.n >= 0 && a.n % 8 == 0, op, "n must be a multiple of 8");
  check::require(a.n == 0 || (a.dst && a.dst_remainder && a.src), op, "an array has no data");
  check::require(on_16_bytes(0, 1, a.dst, a.dst_remainder, a.src, a.src_remainder), op,
                 "every array must begin on 16 bytes");
  if (a.alpha == 0) return;
  launch(context_->stream(), op, elementwise(a.n, 8), mixed_lerp_kernel, a.dst, a.dst_remainder,
         a.src, a.src_remainder, a.n, a.alpha);
}

void CudaOps::scale_part(const ScalePart& a) {
  const char* op = "scale_part";
  check::vector(op, "x", a.x, a.x.cols, a.x.dtype);
  check::vector(op, "trained", a.trained, a.trained.cols);
  check::require(a.cols > 0 && a.first >= 0, op, "there must be columns, and first in them");
  const int64_t rows = divide_up(a.first + a.x.cols, a.cols);
  check::require(
      a.by_rows ? a.trained.cols >= rows : a.trained.cols == a.cols, op,
      "trained must have an element for each " + std::string(a.by_rows ? "row" : "column"));
  const PartShape part{a.trained.f32(), a.by_rows, a.cols, a.first, a.yes, a.no};
  if (a.remainder) {
    check::require(a.x.dtype == DType::bf16, op, "a remainder is of bf16");
    return launch(context_->stream(), op, elementwise(a.x.cols, 1), scale_part_mixed_kernel,
                  data<bf16>(a.x), a.remainder, a.x.cols, part);
  }
  with_type(op, a.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(context_->stream(), op, elementwise(a.x.cols, 1), scale_part_kernel<T>, data<T>(a.x),
           a.x.cols, part);
  });
}

double CudaOps::sum_of_squares(const Tensor& x) {
  std::vector<double> partial(static_cast<size_t>(divide_up(x.cols, kSumBlock)));
  sums_of_squares(x, kSumBlock, partial.data());
  double total = 0;
  for (const double p : partial) total += p;
  return total;
}

void CudaOps::sums_of_squares(const Tensor& x, int64_t grain, double* sums) {
  const char* op = "sum_of_squares";
  check::vector(op, "x", x, x.cols, x.dtype);
  check::require(grain > 0, op, "grain must be positive");
  with_type(op, x.dtype, [&](auto tag) {
    cuda::sums_of_squares(*context_, data<typename decltype(tag)::type>(x), x.cols, grain, sums);
  });
}

void CudaOps::scale(float* x, int64_t n, float factor) {
  check::require(n >= 0 && (n == 0 || x), "scale", "x has no data");
  if (on_16_bytes(n, 4, x))
    launch(context_->stream(), "scale", elementwise(n, 4), scale_kernel<4>, x, n, factor);
  else
    launch(context_->stream(), "scale", elementwise(n, 1), scale_kernel<1>, x, n, factor);
}

void CudaOps::lerp(const Tensor& dst, const Tensor& src, float alpha) {
  const char* op = "lerp";
  check::vector(op, "dst", dst, dst.cols, dst.dtype);
  check::vector(op, "src", src, dst.cols, dst.dtype);
  with_type(op, dst.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    cuda::lerp(*context_, data<T>(dst), data<T>(src), dst.cols, alpha);
  });
}

}  // namespace kogrpo
