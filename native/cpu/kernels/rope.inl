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
        const int k = lanes_left(half, i);
        const f32x16 c = load_up_to(k, cos + i), s = load_up_to(k, sin + i);
        const f32x16 low = mul(mul(load_up_to(k, x + i), rstd), load_up_to(k, w + i));
        const f32x16 high =
            mul(mul(load_up_to(k, x + half + i), rstd), load_up_to(k, w + half + i));
        store_up_to(k, out + i, sub(mul(low, c), mul(high, s)));
        store_up_to(k, out + half + i, fma(high, c, mul(low, s)));
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
        const int k = lanes_left(half, i);
        const f32x16 c = load_up_to(k, cos + i), s = load_up_to(k, sin + i);
        const f32x16 low = load_up_to(k, dout + i), high = load_up_to(k, dout + half + i);
        const f32x16 g_low = mul(fma(low, c, mul(high, s)), load_up_to(k, w + i));
        const f32x16 g_high = mul(sub(mul(high, c), mul(low, s)), load_up_to(k, w + half + i));
        dot_low = fma(g_low, load_up_to(k, x + i), dot_low);
        dot_high = fma(g_high, load_up_to(k, x + half + i), dot_high);
        store_up_to(k, dx + i, g_low);
        store_up_to(k, dx + half + i, g_high);
      }
      const float mean = sum(add(dot_low, dot_high)) / float(dim);
      const f32x16 slope = set1(-mean * (rstd * rstd * rstd));
      for (int64_t i = 0; i < dim; i += kLanes) {
        const int k = lanes_left(dim, i);
        store_up_to(k, dx + i, fma(load_up_to(k, dx + i), vrstd, mul(load_up_to(k, x + i), slope)));
      }
    }
  }
}

// Adds dq_norm's (or dk_norm's) columns of kBlocks blocks of 16 pairs from pair i on: a chain over
// (token, head) for each weight, whatever the grouping.
template <int kBlocks>
KOGRPO_INLINE void norm_weight_chains(const QkNormRopeBackward& a, const float* rstds, bool key,
                                      int64_t i, int k) {
  const int64_t dim = a.head_dim, half = dim / 2, heads = a.q_heads + a.kv_heads;
  const int64_t first_head = key ? a.q_heads : 0, end_head = key ? heads : a.q_heads;
  float* dw = (key ? a.dk_norm.f32() : a.dq_norm.f32()) + i;
  f32x16 acc_low[kBlocks], acc_high[kBlocks], c[kBlocks], s[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    acc_low[b] = load_up_to(k, dw + b * kLanes);
    acc_high[b] = load_up_to(k, dw + half + b * kLanes);
  }
  for (int64_t t = 0; t < a.qkv.rows; ++t) {
    const int32_t position = a.positions.i32()[t];
    for (int b = 0; b < kBlocks; ++b) {
      c[b] = load_up_to(k, a.cos.row(position) + i + b * kLanes);
      s[b] = load_up_to(k, a.sin.row(position) + i + b * kLanes);
    }
    for (int64_t head = first_head; head < end_head; ++head) {
      const float* x = a.qkv.row(t) + head * dim + i;
      const float* dout = a.dout.row(t) + head * dim + i;
      const f32x16 rstd = set1(rstds[t * heads + head]);
      for (int b = 0; b < kBlocks; ++b) {
        const f32x16 low = load_up_to(k, dout + b * kLanes);
        const f32x16 high = load_up_to(k, dout + half + b * kLanes);
        const f32x16 x_low = mul(load_up_to(k, x + b * kLanes), rstd);
        const f32x16 x_high = mul(load_up_to(k, x + half + b * kLanes), rstd);
        acc_low[b] = fma(fma(low, c[b], mul(high, s[b])), x_low, acc_low[b]);
        acc_high[b] = fma(sub(mul(high, c[b]), mul(low, s[b])), x_high, acc_high[b]);
      }
    }
  }
  for (int b = 0; b < kBlocks; ++b) {
    store_up_to(k, dw + b * kLanes, acc_low[b]);
    store_up_to(k, dw + half + b * kLanes, acc_high[b]);
  }
}

// Items are blocks of 16 pairs: first those of dq_norm, then those of dk_norm.
inline void qk_norm_rope_backward_weight(const QkNormRopeBackward& a, const float* rstds,
                                         Range items) {
  const int64_t half = a.head_dim / 2, blocks = (half + kLanes - 1) / kLanes;
  for (int64_t item = items.begin; item < items.end;) {
    const bool key = item >= blocks;
    const int64_t block = key ? item - blocks : item, i = block * kLanes;
    const int64_t end = key ? items.end - blocks : items.end;
    if (block + 4 <= (end < blocks ? end : blocks) && (block + 4) * kLanes <= half) {
      norm_weight_chains<4>(a, rstds, key, i, kLanes);
      item += 4;
    } else {
      norm_weight_chains<1>(a, rstds, key, i, lanes_left(half, i));
      item += 1;
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
