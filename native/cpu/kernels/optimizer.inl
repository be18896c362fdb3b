// Element-wise updates of parameters: AdamW (arXiv 1711.05101, in torch.optim.AdamW's order of
// operations), scaling, interpolation; and the sum of squares for gradient clipping.

namespace kogrpo::KOGRPO_ISA {

inline void adamw(const AdamW& a, const AdamWFactors& f, Range elements) {
  const f32x16 decay = set1(f.decay), step = set1(-f.step_size), root = set1(f.sqrt_bias2);
  const f32x16 b1 = set1(a.beta1), b2 = set1(a.beta2), c1 = set1(f.one_minus_beta1),
               c2 = set1(f.one_minus_beta2);
  const f32x16 eps = set1(a.eps), clip = set1(a.grad_scale);
  for (int64_t i = elements.begin; i < elements.end; i += kLanes) {
    const int k = lanes_left(elements.end, i);
    const f32x16 g = mul(load_up_to(k, a.grad + i), clip);
    const f32x16 m = fma(b1, load_up_to(k, a.m + i), mul(c1, g));
    const f32x16 v = fma(b2, load_up_to(k, a.v + i), mul(mul(c2, g), g));
    const f32x16 denominator = add(div(sqrt(v), root), eps);
    const f32x16 p = mul(load_up_to(k, a.param + i), decay);
    store_up_to(k, a.m + i, m);
    store_up_to(k, a.v + i, v);
    store_up_to(k, a.param + i, fma(step, div(m, denominator), p));
  }
}

// Sixteen double chains, strided; squares of floats are exact in double.
inline double sum_of_squares(const float* x, Range elements) {
  double lanes[kLanes] = {};
  int64_t i = elements.begin;
  for (; i + kLanes <= elements.end; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += double(x[i + l]) * double(x[i + l]);
  for (int l = 0; i + l < elements.end; ++l) lanes[l] += double(x[i + l]) * double(x[i + l]);
  for (int half = kLanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  return lanes[0];
}

inline void scale(float* x, float factor, Range elements) {
  const f32x16 f = set1(factor);
  for (int64_t i = elements.begin; i < elements.end; i += kLanes) {
    const int k = lanes_left(elements.end, i);
    store_up_to(k, x + i, mul(load_up_to(k, x + i), f));
  }
}

inline void lerp(float* dst, const float* src, float alpha, Range elements) {
  const f32x16 keep = set1(1.0f - alpha), take = set1(alpha);
  for (int64_t i = elements.begin; i < elements.end; i += kLanes) {
    const int k = lanes_left(elements.end, i);
    store_up_to(k, dst + i, fma(take, load_up_to(k, src + i), mul(keep, load_up_to(k, dst + i))));
  }
}

}  // namespace kogrpo::KOGRPO_ISA
