// SwiGLU (arXiv 2002.05202): y = silu(gate)·up, silu(g) = g·s with s = 1/(1 + e^−g).
// Backward: dup = dy·g·s, dgate = dy·up·s·(1 + g·(1 − s)).

#include "cpu/kernels/bf16_memory.inl"

namespace kogrpo::KOGRPO_ISA {

KOGRPO_INLINE f32x16 sigmoid(f32x16 g) {
  return div(set1(1.0f), add(set1(1.0f), exp(neg(g))));
}

template <class Y>
static void swiglu_rows(const SwigluForward& a, Range rows) {
  const int64_t n = a.y.cols;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* gate = a.gate_up.row(r);
    const float* up = gate + n;
    Y* y = row_of<Y>(a.y, r);
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

inline void swiglu_forward(const SwigluForward& a, Range rows) {
  a.y.dtype == DType::bf16 ? swiglu_rows<uint16_t>(a, rows) : swiglu_rows<float>(a, rows);
}

// What the gradient of one block of values needs, and gives.
struct SwigluBlock {
  f32x16 dgate, dup, y;
};
KOGRPO_INLINE SwigluBlock swiglu_gradient(f32x16 dy, f32x16 g, f32x16 u) {
  const f32x16 s = sigmoid(g), dys = mul(dy, s);
  return {mul(mul(dys, u), fma(g, sub(set1(1.0f), s), set1(1.0f))), mul(dys, g), mul(mul(g, s), u)};
}

// With `Again` y is written too.
template <class Y, bool Again>
static void swiglu_gradient_rows(const SwigluBackward& a, Range rows) {
  const int64_t n = a.dy.cols;
  for (int64_t r = rows.begin; r < rows.end; ++r) {
    const float* gate = a.gate_up.row(r);
    const float* up = gate + n;
    const float* dy = a.dy.row(r);
    Y* dgate = row_of<Y>(a.dgate_up, r);
    Y* dup = dgate + n;
    Y* y = Again ? row_of<Y>(a.y, r) : nullptr;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const SwigluBlock b = swiglu_gradient(load(dy + i), load(gate + i), load(up + i));
      store(dgate + i, b.dgate);
      store(dup + i, b.dup);
      if constexpr (Again) store(y + i, b.y);
    }
    if (i < n) {
      const int k = int(n - i);
      const SwigluBlock b =
          swiglu_gradient(load_first(k, dy + i), load_first(k, gate + i), load_first(k, up + i));
      store_first(k, dgate + i, b.dgate);
      store_first(k, dup + i, b.dup);
      if constexpr (Again) store_first(k, y + i, b.y);
    }
  }
}

inline void swiglu_backward(const SwigluBackward& a, Range rows) {
  if (a.dgate_up.dtype == DType::bf16)
    a.y.data ? swiglu_gradient_rows<uint16_t, true>(a, rows)
             : swiglu_gradient_rows<uint16_t, false>(a, rows);
  else
    a.y.data ? swiglu_gradient_rows<float, true>(a, rows)
             : swiglu_gradient_rows<float, false>(a, rows);
}

}  // namespace kogrpo::KOGRPO_ISA
