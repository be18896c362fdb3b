// Query/key norm and rotary embedding on the CPU. The backward keeps 1/rms of each head between its
// two passes.
#include "cpu/cpu_ops.h"
#include "ops/check.h"

namespace kogrpo {

namespace {

template <class Args>
void check_common(const char* op, const Args& a) {
  check::require(a.q_heads > 0 && a.kv_heads > 0, op, "q_heads and kv_heads must be positive");
  check::require(a.head_dim > 0 && a.head_dim % 2 == 0, op,
                 "head_dim = " + std::to_string(a.head_dim) + ", must be positive and even");
  const int64_t tokens = a.qkv.rows;
  check::matrix(op, "qkv", a.qkv, tokens, (a.q_heads + 2 * a.kv_heads) * a.head_dim);
  check::vector(op, "q_norm", a.q_norm, a.head_dim);
  check::vector(op, "k_norm", a.k_norm, a.head_dim);
  check::vector(op, "positions", a.positions, tokens, DType::i32);
  check::matrix(op, "cos", a.cos, a.cos.rows, a.head_dim / 2);
  check::matrix(op, "sin", a.sin, a.cos.rows, a.head_dim / 2);
  check::indices(op, "positions", a.positions, 0, a.cos.rows);
}

}  // namespace

void CpuOps::qk_norm_rope_forward(const QkNormRopeForward& a) {
  const char* op = "qk_norm_rope_forward";
  check_common(op, a);
  const int64_t width = (a.q_heads + a.kv_heads) * a.head_dim;
  check::matrix(op, "out", a.out, a.qkv.rows, width);
  pool_.run(a.qkv.rows, grain(3 * width),
            [&](Range rows, int) { kernels_.qk_norm_rope_forward(a, rows); });
}

void CpuOps::qk_norm_rope_backward(const QkNormRopeBackward& a) {
  const char* op = "qk_norm_rope_backward";
  check_common(op, a);
  const int64_t tokens = a.qkv.rows, heads = a.q_heads + a.kv_heads, width = heads * a.head_dim;
  check::matrix(op, "dout", a.dout, tokens, width);
  check::matrix(op, "dqkv", a.dqkv, tokens, a.qkv.cols);
  check::vector(op, "dq_norm", a.dq_norm, a.head_dim);
  check::vector(op, "dk_norm", a.dk_norm, a.head_dim);
  check::require(a.dqkv.data != a.qkv.data || tokens == 0, op,
                 "dqkv must not be qkv's memory: the weight gradients read qkv");
  float* rstds = scratch(0, size_t(tokens * heads));
  pool_.run(tokens, grain(5 * width),
            [&](Range rows, int) { kernels_.qk_norm_rope_backward_input(a, rstds, rows); });
  // Whole heads stream best; more threads than that get fewer blocks each.
  const int64_t blocks = (a.head_dim / 2 + 15) / 16;
  const int64_t per_thread = std::max<int64_t>(1, 2 * blocks / threads());
  pool_.run(2 * blocks, std::max(per_thread, grain(32 * tokens * a.q_heads)),
            [&](Range items, int) { kernels_.qk_norm_rope_backward_weight(a, rstds, items); });
}

}  // namespace kogrpo
