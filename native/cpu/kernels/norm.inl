// RMSNorm (arXiv 1910.07467) of rows of any length. Sums over a row run in four lane-strided chains
// that depend on the row's length alone; weight gradients are chains over the rows in order.

#include "cpu/kernels/bf16_memory.inl"

namespace kogrpo::KOGRPO_ISA {

// Σ x[i]·y[i]
KOGRPO_INLINE float row_dot(const float* x, const float* y, int64_t n) {
  f32x16 s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    s0 = fma(load(x + i), load(y + i), s0);
    s1 = fma(load(x + i + 16), load(y + i + 16), s1);
    s2 = fma(load(x + i + 32), load(y + i + 32), s2);
    s3 = fma(load(x + i + 48), load(y + i + 48), s3);
  }
  for (; i + kLanes <= n; i += kLanes) s0 = fma(load(x + i), load(y + i), s0);
  if (i < n) s1 = fma(load_first(int(n - i), x + i), load_first(int(n - i), y + i), s1);
  return sum(add(add(s0, s1), add(s2, s3)));
}

// Σ x[i]·y[i]·w[i]
KOGRPO_INLINE float row_dot3(const float* x, const float* y, const float* w, int64_t n) {
  f32x16 s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    s0 = fma(mul(load(x + i), load(w + i)), load(y + i), s0);
    s1 = fma(mul(load(x + i + 16), load(w + i + 16)), load(y + i + 16), s1);
    s2 = fma(mul(load(x + i + 32), load(w + i + 32)), load(y + i + 32), s2);
    s3 = fma(mul(load(x + i + 48), load(w + i + 48)), load(y + i + 48), s3);
  }
  for (; i + kLanes <= n; i += kLanes) s0 = fma(mul(load(x + i), load(w + i)), load(y + i), s0);
  if (i < n) {
    const int k = int(n - i);
    s1 = fma(mul(load_first(k, x + i), load_first(k, w + i)), load_first(k, y + i), s1);
  }
  return sum(add(add(s0, s1), add(s2, s3)));
}

KOGRPO_INLINE float rms_scale(const float* x, int64_t n, float eps) {
  return 1.0f / __builtin_sqrtf(row_dot(x, x, n) / float(n) + eps);
}

template <class Y>
static void rmsnorm_rows(const RmsNormForward& a, Range rows) {
  const int64_t n = a.x.cols;
  const float* w = a.weight.f32();
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* x = a.x.row(r);
    Y* y = row_of<Y>(a.y, r);
    const float rstd = rms_scale(x, n, a.eps);
    a.rstd.f32()[r] = rstd;
    const f32x16 scale = set1(rstd);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) store(y + i, mul(mul(load(x + i), scale), load(w + i)));
    if (i < n) {
      const int k = int(n - i);
      store_first(k, y + i, mul(mul(load_first(k, x + i), scale), load_first(k, w + i)));
    }
  }
}

inline void rmsnorm_forward(const RmsNormForward& a, Range rows) {
  a.y.dtype == DType::bf16 ? rmsnorm_rows<uint16_t>(a, rows) : rmsnorm_rows<float>(a, rows);
}

inline void rmsnorm_backward_input(const RmsNormBackward& a, Range rows) {
  const int64_t n = a.x.cols;
  const float* w = a.weight.f32();
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* x = a.x.row(r);
    const float* dy = a.dy.row(r);
    float* dx = a.dx.row(r);
    const float rstd = a.rstd.f32()[r];
    // dx = rstd·(dy·w) + x·slope
    const float slope = -(row_dot3(dy, x, w, n) / float(n)) * (rstd * rstd * rstd);
    const f32x16 vrstd = set1(rstd), vslope = set1(slope);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      f32x16 g = fma(mul(load(dy + i), load(w + i)), vrstd, mul(load(x + i), vslope));
      if (a.accumulate) g = add(load(dx + i), g);
      store(dx + i, g);
    }
    if (i < n) {
      const int k = int(n - i);
      f32x16 g = fma(mul(load_first(k, dy + i), load_first(k, w + i)), vrstd,
                     mul(load_first(k, x + i), vslope));
      if (a.accumulate) g = add(load_first(k, dx + i), g);
      store_first(k, dx + i, g);
    }
  }
}

inline void rmsnorm_backward_weight(const RmsNormBackward& a, Range columns_of_16) {
  const int64_t n = a.x.cols, tokens = a.x.rows;
  const float* rstd = a.rstd.f32();
  float* dw = a.dweight.f32();
  int64_t block = columns_of_16.begin;
  // Eight independent column chains at a time hide the latency of the additions.
  constexpr int kChains = 8;
  for (; block + kChains <= columns_of_16.end && (block + kChains) * kLanes <= n;
       block += kChains) {
    const int64_t c = block * kLanes;
    f32x16 acc[kChains];
    for (int j = 0; j < kChains; ++j) acc[j] = load(dw + c + j * kLanes);
    for (int64_t t = 0; t < tokens; ++t) {
      const float* x = a.x.row(t) + c;
      const float* dy = a.dy.row(t) + c;
      const f32x16 scale = set1(rstd[t]);
      for (int j = 0; j < kChains; ++j)
        acc[j] = fma(load(dy + j * kLanes), mul(load(x + j * kLanes), scale), acc[j]);
    }
    for (int j = 0; j < kChains; ++j) store(dw + c + j * kLanes, acc[j]);
  }
  for (; block < columns_of_16.end; ++block) {
    const int64_t c = block * kLanes;
    const int k = lanes_left(n, c);
    f32x16 acc = load_up_to(k, dw + c);
    for (int64_t t = 0; t < tokens; ++t)
      acc = fma(load_up_to(k, a.dy.row(t) + c), mul(load_up_to(k, a.x.row(t) + c), set1(rstd[t])),
                acc);
    store_up_to(k, dw + c, acc);
  }
}

}  // namespace kogrpo::KOGRPO_ISA
