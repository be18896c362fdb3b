// Dropout's mask (ops.h, Dropout), 64 columns at a time.

#include "cpu/kernels/philox.inl"

namespace kogrpo::KOGRPO_ISA {

// `threshold`, `scale`: of a.p (dropout_threshold, dropout_scale).
inline void dropout(const Dropout& a, float threshold, float scale, Range rows) {
  const PhiloxKeys keys = philox_keys(a.key);
  const f32x16 limit = set1(threshold), kept = set1(scale);
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const uint64_t identity = a.identities[r];
    const float* x = a.x.row(r);
    float* out = a.out.row(r);
    for (int64_t begin = 0; begin < a.x.cols; begin += 4 * kLanes) {
      i32x16 words[4];
      philox16(uint32_t(begin / 4), a.place, uint32_t(identity), uint32_t(identity >> 32), keys,
               words);
      // words[w] lane l belongs to column begin + 4·l + w.
      float by_word[4][kLanes], factors[4 * kLanes];
      for (int w = 0; w < 4; ++w) {
        const uint32_t dropped = greater(limit, to_float(shift_right<8>(words[w])));
        store(by_word[w], select(dropped, zero(), kept));
      }
      for (int l = 0; l < kLanes; ++l)
        for (int w = 0; w < 4; ++w) factors[4 * l + w] = by_word[w][l];
      for (int64_t i = begin; i < a.x.cols && i < begin + 4 * kLanes; i += kLanes) {
        const int n = lanes_left(a.x.cols, i);
        const f32x16 v = load_up_to(n, x + i), factor = load(factors + (i - begin));
        store_up_to(n, out + i,
                    a.accumulate ? fma(v, factor, load_up_to(n, out + i)) : mul(v, factor));
      }
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
