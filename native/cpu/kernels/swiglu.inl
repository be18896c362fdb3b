// SwiGLU (arXiv 2002.05202): y = silu(gate)·up, silu(g) = g·s with s = 1/(1 + e^−g).
// Backward: dup = dy·g·s, dgate = dy·up·s·(1 + g·(1 − s)).

namespace kogrpo::KOGRPO_ISA {

KOGRPO_INLINE f32x16 sigmoid(f32x16 g) {
  return div(set1(1.0f), add(set1(1.0f), exp(neg(g))));
}

inline void swiglu_forward(const SwigluForward& a, Range rows) {
  const int64_t n = a.y.cols;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* gate = a.gate_up.row(r);
    const float* up = gate + n;
    float* y = a.y.row(r);
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const f32x16 g = load(gate + i);
      store(y + i, mul(mul(g, sigmoid(g)), load(up + i)));
    }
    if (i < n) {
      const int k = int(n - i);
      const f32x16 g = load_first(k, gate + i);
      store_first(k, y + i, mul(mul(g, sigmoid(g)), load_first(k, up + i)));
    }
  }
}

KOGRPO_INLINE void swiglu_gradient(f32x16 dy, f32x16 g, f32x16 u, f32x16& dg, f32x16& du) {
  const f32x16 s = sigmoid(g);
  const f32x16 dys = mul(dy, s);
  du = mul(dys, g);
  dg = mul(mul(dys, u), fma(g, sub(set1(1.0f), s), set1(1.0f)));
}

inline void swiglu_backward(const SwigluBackward& a, Range rows) {
  const int64_t n = a.dy.cols;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* gate = a.gate_up.row(r);
    const float* up = gate + n;
    const float* dy = a.dy.row(r);
    float* dgate = a.dgate_up.row(r);
    float* dup = dgate + n;
    f32x16 dg, du;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      swiglu_gradient(load(dy + i), load(gate + i), load(up + i), dg, du);
      store(dgate + i, dg);
      store(dup + i, du);
    }
    if (i < n) {
      const int k = int(n - i);
      swiglu_gradient(load_first(k, dy + i), load_first(k, gate + i), load_first(k, up + i), dg,
                      du);
      store_first(k, dgate + i, dg);
      store_first(k, dup + i, du);
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
