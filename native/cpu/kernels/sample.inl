// Sampling by the Gumbel-max trick: argmax(z + g) with g = −log(−log u) is a draw from softmax(z)
// (Gumbel 1954; Maddison et al., arXiv 1411.0030). u comes from Philox4x32-10 (see ops/philox.h),
// sixteen counters, so 64 vocabulary ids, at a time.
//
// g lies in (−2.86, 17.33), because u is at least 2⁻²⁵ away from 0 and 1. Ids whose z + 17.4 stays
// below a known lower bound of the winner's score need no noise at all, and most others need no
// logarithms (can_reach); the result is the same to the bit. Needs lm_head.inl.

#include "cpu/kernels/philox.inl"

namespace kogrpo::KOGRPO_ISA {

constexpr float kGumbelHigh = 17.4f, kGumbelLow = -2.86f;

// log(−log u) = −g of u = (word/2⁸ + ½)·2⁻²⁴. Near 1 the float u is rounded, just where the noise
// is largest: the difference to the exact 1 − u, itself exact, puts that right.
KOGRPO_INLINE f32x16 minus_gumbel(i32x16 word) {
  const i32x16 cell = shift_right<8>(word);
  const f32x16 width = set1(0x1p-24f), middle = set1(0x1p-25f);
  const f32x16 u = fma(to_float(cell), width, middle);
  const f32x16 v = fma(to_float(ixor(cell, iset1(0xFFFFFF))), width, middle);  // 1 − u
  const f32x16 correction = sub(sub(set1(1.0f), u), v);
  return log(neg(add(log(u), correction)));
}

inline void minus_gumbels(const uint32_t* words, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int k = lanes_left(n, i);
    int32_t padded[kLanes] = {};
    std::memcpy(padded, words + i, size_t(k) * sizeof(int32_t));
    store_up_to(k, out + i, minus_gumbel(iload(padded)));
  }
}

inline void exponentials(const float* x, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int k = lanes_left(n, i);
    store_up_to(k, out + i, exp(load_up_to(k, x + i)));
  }
}

inline float logarithm(float x) {
  return log1(x);
}

// Ids whose z = logits·inv_temperature lies in [floor, ceiling), in ascending order; returns how
// many.
inline int64_t ids_between(const float* logits, int64_t n, float inv_temperature, float floor,
                           float ceiling, int32_t* ids) {
  const f32x16 scale = set1(inv_temperature), low = set1(floor), high = set1(ceiling);
  int64_t count = 0;
  for (int64_t i = 0; i < n; i += kLanes) {
    const int k = lanes_left(n, i);
    const f32x16 z = mul(load_up_to(k, logits + i), scale);
    uint32_t keep = ~greater(low, z) & greater(high, z) & ((1u << k) - 1);
    for (; keep; keep &= keep - 1) ids[count++] = int32_t(i + __builtin_ctz(keep));
  }
  return count;
}

inline int32_t argmax(const float* logits, int64_t n, float top) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int k = lanes_left(n, i);
    const uint32_t all = k == kLanes ? 0xFFFFu : (1u << k) - 1;
    const uint32_t equal = ~greater(set1(top), load_up_to(k, logits + i)) & all;
    if (equal) return int32_t(i + __builtin_ctz(equal));
  }
  return -1;
}

// Whether any of a block's ids can reach `bound`. z − log(−log u) ≥ bound needs
// −log u ≤ e^(z − bound), and 1 − u ≤ −log u: so some 1 − u must be at most e^(max z − bound). The
// exponent is widened by more than all the roundings involved.
KOGRPO_INLINE bool can_reach(const i32x16 words[4], const f32x16 z[4], float bound) {
  const float top = max_lane(max(max(z[0], z[1]), max(z[2], z[3])));
  const float magnitude = __builtin_fabsf(top) + __builtin_fabsf(bound) + 32.0f;
  const f32x16 limit = exp(set1(top - bound + 0.01f + magnitude * 0x1p-21f));
  uint32_t reached = 0;
  for (int w = 0; w < 4; ++w) {
    const i32x16 from_one = ixor(shift_right<8>(words[w]), iset1(0xFFFFFF));
    reached |= greater(limit, mul(to_float(from_one), set1(0x1p-24f)));
  }
  return reached != 0;
}

inline int32_t gumbel_argmax(const float* logits, int64_t n, float inv_temperature, float top,
                             const SamplingParams& p) {
  const f32x16 scale = set1(inv_temperature), lowest = set1(-__builtin_inff());
  const f32x16 reach = set1(kGumbelHigh);
  const PhiloxKeys keys = philox_keys(p.seed);
  const float certain = top + kGumbelLow;  // the most probable id scores at least this
  float best = -__builtin_inff();
  int32_t token = -1;
  for (int64_t begin = 0; begin < n; begin += 4 * kLanes) {
    const float bound = best > certain ? best : certain;
    f32x16 z[4];
    if (begin + 4 * kLanes <= n) {
      for (int j = 0; j < 4; ++j) z[j] = mul(load(logits + begin + j * kLanes), scale);
    } else {
      for (int j = 0; j < 4; ++j) {
        const int64_t i = begin + j * kLanes;
        const int k = i < n ? lanes_left(n, i) : 0;
        z[j] = first(k, mul(load_first(k, logits + i), scale), lowest);
      }
    }
    uint32_t hopeless = 0xFFFFu;
    for (int j = 0; j < 4; ++j) hopeless &= greater(set1(bound), add(z[j], reach));
    if (hopeless == 0xFFFFu) continue;

    i32x16 words[4];
    philox16(uint32_t(begin / 4), uint32_t(p.position), uint32_t(p.stream),
             uint32_t(p.stream >> 32), keys, words);
    if (!can_reach(words, z, bound)) continue;
    // words[w] lane l belongs to id begin + 4·l + w.
    float by_word[4][kLanes], noise[4 * kLanes];
    for (int w = 0; w < 4; ++w) store(by_word[w], minus_gumbel(words[w]));
    for (int l = 0; l < kLanes; ++l)
      for (int w = 0; w < 4; ++w) noise[4 * l + w] = by_word[w][l];
    f32x16 score[4];
    for (int j = 0; j < 4; ++j) score[j] = sub(z[j], load(noise + j * kLanes));
    const float top_score = max_lane(max(max(score[0], score[1]), max(score[2], score[3])));
    if (!(top_score > best)) continue;
    best = top_score;
    for (int j = 3; j >= 0; --j) {
      const uint32_t equal = ~greater(set1(best), score[j]) & 0xFFFFu;
      if (equal) token = int32_t(begin + j * kLanes + __builtin_ctz(equal));
    }
  }
  return token;
}

// Rows without restrictions. A row that is not finite gets token −1.
inline void sample(const Sample& a, Range rows) {
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const SamplingParams& p = a.params[r];
    const float* logits = a.logits.row(r);
    const float inv = p.temperature > 0 ? 1.0f / p.temperature : 1.0f;
    const SoftmaxSums s = softmax_sums(logits, a.vocab_limit, inv);
    const float log_sum = log_of_sum(s);
    int32_t token = -1;
    if (log_sum == log_sum)
      token = p.temperature > 0 ? gumbel_argmax(logits, a.vocab_limit, inv, s.max, p)
                                : argmax(logits, a.vocab_limit, s.max);
    a.token.i32()[r] = token;
    a.logprob.f32()[r] =
        token < 0 ? __builtin_nanf("") : log_probability(logits[token] * inv, s, log_sum);
  }
}

}  // namespace kogrpo::KOGRPO_ISA
