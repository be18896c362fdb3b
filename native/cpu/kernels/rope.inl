// Per-head RMSNorm of queries and keys followed by the rotary embedding in the "rotate half" form
// of Qwen3 (arXiv 2104.09864; modeling_qwen3): with n the normed head and h = D/2,
//   out[i] = n[i]·cos[i] − n[i+h]·sin[i],   out[i+h] = n[i+h]·cos[i] + n[i]·sin[i].
// Both passes recompute 1/rms from the raw projections. Needs norm.inl.

namespace kogrpo::KOGRPO_ISA {

inline void qk_norm_rope_forward(const QkNormRopeForward& a, Range rows) {
  const int64_t dim = a.head_dim, half = dim / 2, heads = a.q_heads + a.kv_heads;
  for (int64_t t = rows.begin; t < rows.end; ++t) {
    const int32_t position = a.positions.i32()[t];
    const float* cos = a.cos.row(position);
    const float* sin = a.sin.row(position);
    for (int64_t head = 0; head < heads; ++head) {
      const float* x = a.qkv.row(t) + head * dim;
      const float* w = head < a.q_heads ? a.q_norm.f32() : a.k_norm.f32();
      float* out = a.out.row(t) + head * dim;
      const f32x16 rstd = set1(rms_scale(x, dim, a.eps));
      for (int64_t i = 0; i < half; i += kLanes) {
        const int k = half - i < kLanes ? int(half - i) : kLanes;
        const f32x16 c = load_first(k, cos + i), s = load_first(k, sin + i);
        const f32x16 low = mul(mul(load_first(k, x + i), rstd), load_first(k, w + i));
        const f32x16 high =
            mul(mul(load_first(k, x + half + i), rstd), load_first(k, w + half + i));
        store_first(k, out + i, sub(mul(low, c), mul(high, s)));
        store_first(k, out + half + i, fma(high, c, mul(low, s)));
      }
    }
  }
}

// Writes dqkv's q and k columns, and rstd[t·heads + head] for the weight pass.
inline void qk_norm_rope_backward_input(const QkNormRopeBackward& a, float* rstds, Range rows) {
  const int64_t dim = a.head_dim, half = dim / 2, heads = a.q_heads + a.kv_heads;
  for (int64_t t = rows.begin; t < rows.end; ++t) {
    const int32_t position = a.positions.i32()[t];
    const float* cos = a.cos.row(position);
    const float* sin = a.sin.row(position);
    for (int64_t head = 0; head < heads; ++head) {
      const float* x = a.qkv.row(t) + head * dim;
      const float* w = head < a.q_heads ? a.q_norm.f32() : a.k_norm.f32();
      const float* dout = a.dout.row(t) + head * dim;
      float* dx = a.dqkv.row(t) + head * dim;
      const float rstd = rms_scale(x, dim, a.eps);
      rstds[t * heads + head] = rstd;
      const f32x16 vrstd = set1(rstd);
      // First rotate back: dx holds g = dnormed·w while Σ g·x is summed.
      f32x16 dot_low = zero(), dot_high = zero();
      for (int64_t i = 0; i < half; i += kLanes) {
        const int k = half - i < kLanes ? int(half - i) : kLanes;
        const f32x16 c = load_first(k, cos + i), s = load_first(k, sin + i);
        const f32x16 low = load_first(k, dout + i), high = load_first(k, dout + half + i);
        const f32x16 g_low = mul(fma(low, c, mul(high, s)), load_first(k, w + i));
        const f32x16 g_high = mul(sub(mul(high, c), mul(low, s)), load_first(k, w + half + i));
        dot_low = fma(g_low, load_first(k, x + i), dot_low);
        dot_high = fma(g_high, load_first(k, x + half + i), dot_high);
        store_first(k, dx + i, g_low);
        store_first(k, dx + half + i, g_high);
      }
      const float mean = sum(add(dot_low, dot_high)) / float(dim);
      const f32x16 slope = set1(-mean * (rstd * rstd * rstd));
      for (int64_t i = 0; i < dim; i += kLanes) {
        const int k = dim - i < kLanes ? int(dim - i) : kLanes;
        store_first(k, dx + i, fma(load_first(k, dx + i), vrstd, mul(load_first(k, x + i), slope)));
      }
    }
  }
}

// Item 2·block + 0 is a block of 16 pairs of dq_norm, 2·block + 1 of dk_norm: one chain over
// (token, head) per weight.
inline void qk_norm_rope_backward_weight(const QkNormRopeBackward& a, const float* rstds,
                                         Range items) {
  const int64_t dim = a.head_dim, half = dim / 2, heads = a.q_heads + a.kv_heads;
  for (int64_t item = items.begin; item < items.end; ++item) {
    const int64_t i = item / 2 * kLanes;
    const int k = half - i < kLanes ? int(half - i) : kLanes;
    const bool key = item % 2 == 1;
    float* dw = key ? a.dk_norm.f32() : a.dq_norm.f32();
    const int64_t first_head = key ? a.q_heads : 0, end_head = key ? heads : a.q_heads;
    f32x16 acc_low = load_first(k, dw + i), acc_high = load_first(k, dw + half + i);
    for (int64_t t = 0; t < a.qkv.rows; ++t) {
      const int32_t position = a.positions.i32()[t];
      const f32x16 c = load_first(k, a.cos.row(position) + i);
      const f32x16 s = load_first(k, a.sin.row(position) + i);
      for (int64_t head = first_head; head < end_head; ++head) {
        const float* x = a.qkv.row(t) + head * dim + i;
        const float* dout = a.dout.row(t) + head * dim + i;
        const f32x16 rstd = set1(rstds[t * heads + head]);
        const f32x16 low = load_first(k, dout), high = load_first(k, dout + half);
        acc_low = fma(fma(low, c, mul(high, s)), mul(load_first(k, x), rstd), acc_low);
        acc_high =
            fma(sub(mul(high, c), mul(low, s)), mul(load_first(k, x + half), rstd), acc_high);
      }
    }
    store_first(k, dw + i, acc_low);
    store_first(k, dw + half + i, acc_high);
  }
}

}  // namespace kogrpo::KOGRPO_ISA
