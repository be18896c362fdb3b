// Log-softmax statistics of rows of logits over a large vocabulary, and the gradient in place.
// Two passes over a row: the maximum, then Σ e and Σ e·d with d = z − max, e = eᵈ. Both sums run in
// four lane-strided float chains within blocks of 2048 entries, and in double over the blocks, so
// 152k entries lose nothing; the order depends on the row's length alone.

#include "cpu/kernels/bf16_memory.inl"

namespace kogrpo::KOGRPO_ISA {

// Entries more than this many nats down count as probability 0 (1.6e-28) in gradients and as
// e^−64 in sums: invisible in either, and no denormal numbers arise.
constexpr float kNegligible = -64.0f;

KOGRPO_INLINE float row_max(const float* logits, int64_t n, float inv_temperature) {
  const f32x16 scale = set1(inv_temperature);
  const f32x16 lowest = set1(-__builtin_inff());
  f32x16 m0 = lowest, m1 = lowest, m2 = lowest, m3 = lowest;
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    m0 = max(mul(load(logits + i), scale), m0);
    m1 = max(mul(load(logits + i + 16), scale), m1);
    m2 = max(mul(load(logits + i + 32), scale), m2);
    m3 = max(mul(load(logits + i + 48), scale), m3);
  }
  for (; i < n; i += kLanes) {
    const int k = lanes_left(n, i);
    m0 = max(first(k, mul(load_first(k, logits + i), scale), lowest), m0);
  }
  return max_lane(max(max(m0, m1), max(m2, m3)));
}

KOGRPO_INLINE void softmax_step(f32x16 z, f32x16 top, f32x16& e_sum, f32x16& ed_sum) {
  // With this order of operands a NaN stays a NaN, and e·d carries it into the sum.
  const f32x16 d = max(set1(kNegligible), sub(z, top));
  const f32x16 e = exp(d);
  e_sum = add(e_sum, e);
  ed_sum = fma(e, d, ed_sum);
}

inline SoftmaxSums softmax_sums(const float* logits, int64_t n, float inv_temperature) {
  constexpr int64_t kBlock = 2048;
  const float top = row_max(logits, n, inv_temperature);
  const f32x16 vtop = set1(top), scale = set1(inv_temperature);
  double e_total = 0, ed_total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = n - begin < kBlock ? n : begin + kBlock;
    f32x16 s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
    f32x16 w0 = zero(), w1 = zero(), w2 = zero(), w3 = zero();
    int64_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
      softmax_step(mul(load(logits + i), scale), vtop, s0, w0);
      softmax_step(mul(load(logits + i + 16), scale), vtop, s1, w1);
      softmax_step(mul(load(logits + i + 32), scale), vtop, s2, w2);
      softmax_step(mul(load(logits + i + 48), scale), vtop, s3, w3);
    }
    for (; i < end; i += kLanes) {
      const int k = lanes_left(end, i);
      f32x16 s = zero(), w = zero();
      softmax_step(mul(load_first(k, logits + i), scale), vtop, s, w);
      s0 = add(s0, first(k, s, zero()));
      w0 = add(w0, first(k, w, zero()));
    }
    e_total += double(sum(add(add(s0, s1), add(s2, s3))));
    ed_total += double(sum(add(add(w0, w1), add(w2, w3))));
  }
  return {top, e_total, ed_total};
}

// log Σ eᵈ; NaN if the row is not finite (SoftmaxSums).
KOGRPO_INLINE float log_of_sum(const SoftmaxSums& s) {
  return s.weighted != s.weighted ? __builtin_nanf("") : log1(float(s.sum));
}
// z − lse, by way of the maximum: log Σ is small where the probability is not.
KOGRPO_INLINE float log_probability(float z, const SoftmaxSums& s, float log_sum) {
  return (z - s.max) - log_sum;
}

inline void logits_forward(const LogitsForward& a, Range rows) {
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* logits = a.logits.row(r);
    const int32_t target = a.targets.i32()[r];
    const SoftmaxSums s = softmax_sums(logits, a.vocab_limit, a.inv_temperature);
    const float log_sum = log_of_sum(s);
    a.lse.f32()[r] = s.max + log_sum;
    a.entropy.f32()[r] = log_sum - float(s.weighted / s.sum);
    a.logprob.f32()[r] =
        target < 0 ? 0.0f : log_probability(logits[target] * a.inv_temperature, s, log_sum);
    if (a.correct.data)
      a.correct.f32()[r] = target >= 0 && logits[target] * a.inv_temperature == s.max ? 1.0f : 0.0f;
  }
}

// −inv·p·(c + e·(log p + entropy)), the part of the gradient without the one-hot term.
KOGRPO_INLINE f32x16 logits_gradient(f32x16 z, f32x16 lse, f32x16 entropy, f32x16 c, f32x16 e,
                                     f32x16 minus_inv) {
  const f32x16 log_p = sub(z, lse);
  const f32x16 d = max(set1(kNegligible), log_p);
  const f32x16 p = select(greater(log_p, set1(kNegligible)), exp(d), zero());
  return mul(mul(p, minus_inv), fma(e, add(d, entropy), c));
}

// The gradient lies over the logits: written behind what has been read, where it is bfloat16.
template <class G>
static void logits_gradient_rows(const LogitsBackward& a, Range rows) {
  const int64_t n = a.vocab_limit, cols = a.logits.cols;
  const f32x16 inv = set1(a.inv_temperature), minus_inv = set1(-a.inv_temperature);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    float* logits = a.logits.row(r);
    G* gradient = static_cast<G*>(static_cast<void*>(logits));
    const int32_t target = a.targets.i32()[r];
    const float coef = a.coef_logprob.f32()[r];
    const float coef_entropy = a.coef_entropy.data ? a.coef_entropy.f32()[r] : 0.0f;
    if (target < 0 || (coef == 0.0f && coef_entropy == 0.0f)) {
      std::memset(gradient, 0, size_t(cols) * sizeof(G));
      continue;
    }
    const f32x16 lse = set1(a.lse.f32()[r]), entropy = set1(a.entropy.f32()[r]);
    const f32x16 c = set1(coef), e = set1(coef_entropy);
    const f32x16 of_target =
        add(logits_gradient(mul(set1(logits[target]), inv), lse, entropy, c, e, minus_inv),
            set1(a.inv_temperature * coef));
    int64_t i = 0;
    for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
      const f32x16 z0 = mul(load(logits + i), inv), z1 = mul(load(logits + i + kLanes), inv);
      store(gradient + i, logits_gradient(z0, lse, entropy, c, e, minus_inv));
      store(gradient + i + kLanes, logits_gradient(z1, lse, entropy, c, e, minus_inv));
    }
    for (; i < n; i += kLanes) {
      const int k = lanes_left(n, i);
      const f32x16 z = mul(load_first(k, logits + i), inv);
      store_first(k, gradient + i, logits_gradient(z, lse, entropy, c, e, minus_inv));
    }
    store_first(1, gradient + target, of_target);
    std::memset(gradient + n, 0, size_t(cols - n) * sizeof(G));
  }
}

inline void logits_backward(const LogitsBackward& a, Range rows) {
  a.gradient == DType::bf16 ? logits_gradient_rows<uint16_t>(a, rows)
                            : logits_gradient_rows<float>(a, rows);
}

inline void scale_columns(const ScaleColumns& a, Range rows) {
  const float* scale = a.scale.f32();
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    float* x = a.x.row(r);
    for (int64_t i = 0; i < a.x.cols; i += kLanes) {
      const int k = lanes_left(a.x.cols, i);
      store_up_to(k, x + i, mul(load_up_to(k, x + i), load_up_to(k, scale + i)));
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
