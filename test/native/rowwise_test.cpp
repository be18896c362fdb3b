// Embedding, RMSNorm, query/key norm with rotary embedding, SwiGLU: against the reference on
// strided odd shapes, gradients against central differences, splits of a batch to the bit.

#include "matrix_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

std::vector<int32_t> random_ints(size_t n, int32_t limit, uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<int32_t> values(n);
  for (int32_t& v : values) v = int32_t(engine() % uint32_t(limit));
  return values;
}

double dot(const std::vector<double>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// -- embedding

TEST_CASE("embedding matches the reference") {
  for (int64_t hidden : {1, 16, 37, 256}) {
    CAPTURE(hidden);
    const int64_t tokens = 61, vocab = 23;
    auto ids = random_ints(size_t(tokens), int32_t(vocab), 1);
    check_backends([&](Ops& ops) {
      Matrix table = Matrix::random(vocab, hidden, 2), out = Matrix::output(tokens, hidden);
      Matrix dtable = Matrix::random(vocab, hidden, 3), dout = Matrix::random(tokens, hidden, 4);
      ops.embedding_forward({ints(ids.data(), tokens), table.tensor(), out.tensor()});
      ops.embedding_backward({ints(ids.data(), tokens), dout.tensor(), dtable.tensor()});
      return std::vector{out.values(), dtable.values()};
    });
  }
}

TEST_CASE("embedding gradients of the halves of a batch leave the bits of the whole") {
  const int64_t tokens = 90, vocab = 7, hidden = 50;
  auto ids = random_ints(size_t(tokens), int32_t(vocab), 5);
  for_each_cpu_backend([&](Ops& ops) {
    Matrix dout = Matrix::random(tokens, hidden, 6);
    Matrix whole = Matrix::random(vocab, hidden, 7), halves = Matrix::random(vocab, hidden, 7);
    ops.embedding_backward({ints(ids.data(), tokens), dout.tensor(), whole.tensor()});
    ops.embedding_backward({ints(ids.data(), 40), dout.tensor().row_range(0, 40), halves.tensor()});
    ops.embedding_backward(
        {ints(ids.data() + 40, 50), dout.tensor().row_range(40, 50), halves.tensor()});
    CHECK(same_bits(whole.values(), halves.values()));
  });
}

TEST_CASE("embedding names the id that is out of range") {
  CpuOps ops(*available_kernels().front(), 1);
  std::vector<int32_t> ids = {0, 9};
  Matrix table = Matrix::random(4, 8, 1), out = Matrix::output(2, 8);
  CHECK_THROWS_WITH_AS(ops.embedding_forward({ints(ids.data(), 2), table.tensor(), out.tensor()}),
                       "embedding_forward: ids[1] = 9, must be in [0, 4)", std::invalid_argument);
  Matrix narrow = Matrix::output(2, 7);
  CHECK_THROWS_WITH_AS(
      ops.embedding_forward({ints(ids.data(), 2), table.tensor(), narrow.tensor()}),
      "embedding_forward: out has shape [2, 7], expected [2, 8]", std::invalid_argument);
}

// -- RMSNorm

struct NormResult {
  std::vector<float> y, rstd, dx, dweight;
};

NormResult run_norm(Ops& ops, int64_t tokens, int64_t n, bool accumulate, int64_t begin = 0,
                    int64_t count = -1, std::vector<float>* dweight = nullptr) {
  if (count < 0) count = tokens;
  Matrix x = Matrix::random(tokens, n, 11), dy = Matrix::random(tokens, n, 12);
  auto weight = random_floats(size_t(n), 13);
  auto rstd = poisoned(size_t(count));
  auto own_dweight = random_floats(size_t(n), 14);
  auto& dw = dweight ? *dweight : own_dweight;
  Matrix y = Matrix::output(count, n);
  Matrix dx = accumulate ? Matrix::random(count, n, 15) : Matrix::output(count, n);
  const Tensor rows = x.tensor().row_range(begin, count);
  ops.rmsnorm_forward({rows, vector(weight.data(), n), y.tensor(), vector(rstd.data(), count)});
  ops.rmsnorm_backward({dy.tensor().row_range(begin, count), rows, vector(weight.data(), n),
                        vector(rstd.data(), count), dx.tensor(), vector(dw.data(), n), accumulate});
  return {y.values(), rstd, dx.values(), dw};
}

TEST_CASE("rmsnorm matches the reference") {
  // (At n = 1 the gradient cancels to nothing but rounding.)
  for (int64_t n : {5, 7, 16, 64, 83, 256, 1029})
    for (bool accumulate : {false, true}) {
      CAPTURE(n);
      CAPTURE(accumulate);
      check_backends([&](Ops& ops) {
        const NormResult r = run_norm(ops, 29, n, accumulate);
        return std::vector{r.y, r.rstd, r.dx, r.dweight};
      });
    }
}

TEST_CASE("rmsnorm: rows do not know their batch, weight gradients continue their chain") {
  const int64_t tokens = 33, n = 203;
  for_each_cpu_backend([&](Ops& ops) {
    const NormResult whole = run_norm(ops, tokens, n, false);
    auto dweight = random_floats(size_t(n), 14);
    const NormResult head = run_norm(ops, tokens, n, false, 0, 10, &dweight);
    const NormResult tail = run_norm(ops, tokens, n, false, 10, 23, &dweight);
    CHECK(same_bits(slice(whole.y, 0, 10 * n), head.y));
    CHECK(same_bits(slice(whole.y, 10 * n, 33 * n), tail.y));
    CHECK(same_bits(slice(whole.dx, 10 * n, 33 * n), tail.dx));
    CHECK(same_bits(whole.dweight, dweight));
  });
}

TEST_CASE("rmsnorm gradients match central differences") {
  const int64_t tokens = 3, n = 9;
  const float eps = 1e-2f;
  auto x = random_floats(size_t(tokens * n), 21), dy = random_floats(size_t(tokens * n), 22);
  auto weight = random_floats(size_t(n), 23);
  std::vector<float> y(x.size()), rstd(size_t(tokens), 0.0f), dx(x.size()), dw(size_t(n), 0.0f);
  ReferenceOps ops;
  const Tensor tx = matrix(x.data(), tokens, n), tw = vector(weight.data(), n);
  const Tensor trstd = vector(rstd.data(), tokens);
  ops.rmsnorm_forward({tx, tw, matrix(y.data(), tokens, n), trstd, eps});
  ops.rmsnorm_backward({matrix(dy.data(), tokens, n), tx, tw, trstd, matrix(dx.data(), tokens, n),
                        vector(dw.data(), n), false});
  const auto loss = [&](const std::vector<double>& x, const std::vector<double>& w) {
    std::vector<double> y(x.size());
    for (int64_t t = 0; t < tokens; ++t) {
      double squares = 0;
      for (int64_t c = 0; c < n; ++c) squares += x[size_t(t * n + c)] * x[size_t(t * n + c)];
      const double scale = 1 / std::sqrt(squares / double(n) + double(eps));
      for (int64_t c = 0; c < n; ++c)
        y[size_t(t * n + c)] = x[size_t(t * n + c)] * scale * w[size_t(c)];
    }
    return dot(y, dy);
  };
  const std::vector<double> x64(x.begin(), x.end()), w64(weight.begin(), weight.end());
  check_gradient([&](const auto& p) { return loss(p, w64); }, x, dx);
  check_gradient([&](const auto& p) { return loss(x64, p); }, weight, dw);
}

// -- query/key norm and rotary embedding

struct RopeShape {
  int64_t tokens, q_heads, kv_heads, dim;
};

struct RopeResult {
  std::vector<float> out, dqkv, dq, dk;
};

struct RopeTables {
  std::vector<float> cos, sin;
};

RopeTables rope_tables(int64_t positions, int64_t dim) {
  RopeTables tables;
  for (int64_t p = 0; p < positions; ++p)
    for (int64_t i = 0; i < dim / 2; ++i) {
      const double angle = double(p) * std::pow(1e4, -2.0 * double(i) / double(dim));
      tables.cos.push_back(float(std::cos(angle)));
      tables.sin.push_back(float(std::sin(angle)));
    }
  return tables;
}

constexpr int64_t kPositions = 40;

RopeResult run_rope(Ops& ops, RopeShape s, int64_t begin = 0, int64_t count = -1,
                    std::vector<float>* dq_norm = nullptr, std::vector<float>* dk_norm = nullptr) {
  if (count < 0) count = s.tokens;
  const int64_t width = (s.q_heads + 2 * s.kv_heads) * s.dim;
  const int64_t out_width = (s.q_heads + s.kv_heads) * s.dim;
  Matrix qkv = Matrix::random(s.tokens, width, 31), dout = Matrix::random(s.tokens, out_width, 32);
  Matrix out = Matrix::output(count, out_width);
  Matrix dqkv = Matrix::random(count, width, 33);
  auto q_norm = random_floats(size_t(s.dim), 34), k_norm = random_floats(size_t(s.dim), 35);
  auto own_dq = random_floats(size_t(s.dim), 36), own_dk = random_floats(size_t(s.dim), 37);
  auto& dq = dq_norm ? *dq_norm : own_dq;
  auto& dk = dk_norm ? *dk_norm : own_dk;
  auto positions = random_ints(size_t(s.tokens), kPositions, 38);
  const RopeTables tables = rope_tables(kPositions, s.dim);
  Matrix cos(kPositions, s.dim / 2, tables.cos), sin(kPositions, s.dim / 2, tables.sin);
  const Tensor rows = qkv.tensor().row_range(begin, count);
  const Tensor tq = vector(q_norm.data(), s.dim), tk = vector(k_norm.data(), s.dim);
  const Tensor at = ints(positions.data() + begin, count);
  ops.qk_norm_rope_forward(
      {rows, tq, tk, at, cos.tensor(), sin.tensor(), out.tensor(), s.q_heads, s.kv_heads, s.dim});
  ops.qk_norm_rope_backward({dout.tensor().row_range(begin, count), rows, tq, tk, at, cos.tensor(),
                             sin.tensor(), dqkv.tensor(), vector(dq.data(), s.dim),
                             vector(dk.data(), s.dim), s.q_heads, s.kv_heads, s.dim});
  return {out.values(), dqkv.values(), dq, dk};
}

TEST_CASE("query/key norm and rotary embedding match the reference") {
  for (RopeShape s : {RopeShape{17, 4, 2, 128}, RopeShape{5, 2, 1, 2}, RopeShape{9, 3, 3, 10},
                      RopeShape{12, 6, 2, 44}, RopeShape{8, 2, 2, 64}}) {
    CAPTURE(s.dim);
    check_backends([&](Ops& ops) {
      const RopeResult r = run_rope(ops, s);
      return std::vector{r.out, r.dqkv, r.dq, r.dk};
    });
  }
}

TEST_CASE("rotary embedding: rows do not know their batch, weight gradients continue") {
  const RopeShape s{21, 4, 2, 44};
  const int64_t width = 8 * 44, out_width = 6 * 44;
  for_each_cpu_backend([&](Ops& ops) {
    const RopeResult whole = run_rope(ops, s);
    auto dq = random_floats(44, 36), dk = random_floats(44, 37);
    const RopeResult head = run_rope(ops, s, 0, 8, &dq, &dk);
    const RopeResult tail = run_rope(ops, s, 8, 13, &dq, &dk);
    CHECK(same_bits(slice(whole.out, 0, 8 * out_width), head.out));
    CHECK(same_bits(slice(whole.out, 8 * out_width, 21 * out_width), tail.out));
    // The q and k columns; v's keep the random values they had, which are not those of the whole.
    for (int64_t t = 0; t < 13; ++t)
      CHECK(same_bits(slice(whole.dqkv, (t + 8) * width, (t + 8) * width + out_width),
                      slice(tail.dqkv, t * width, t * width + out_width)));
    CHECK(same_bits(whole.dq, dq));
    CHECK(same_bits(whole.dk, dk));
    // v's columns of the gradient are left alone.
    const auto before = random_floats(size_t(21 * width), 33);
    for (int64_t t = 0; t < 21; ++t)
      CHECK(same_bits(slice(whole.dqkv, t * width + out_width, (t + 1) * width),
                      slice(before, t * width + out_width, (t + 1) * width)));
  });
}

TEST_CASE("rotary embedding gradients match central differences") {
  const int64_t tokens = 3, heads = 2, kv_heads = 1, dim = 6, half = 3, width = 4 * dim;
  const float eps = 1e-2f;
  auto qkv = random_floats(size_t(tokens * width), 41);
  auto dout = random_floats(size_t(tokens * 3 * dim), 42);
  auto q_norm = random_floats(size_t(dim), 43), k_norm = random_floats(size_t(dim), 44);
  RopeTables tables = rope_tables(kPositions, dim);
  std::vector<int32_t> positions = {0, 5, 17};
  std::vector<float> dqkv(qkv.size(), 0.0f), dq(size_t(dim), 0.0f), dk(size_t(dim), 0.0f);
  ReferenceOps ops;
  ops.qk_norm_rope_backward(
      {matrix(dout.data(), tokens, 3 * dim), matrix(qkv.data(), tokens, width),
       vector(q_norm.data(), dim), vector(k_norm.data(), dim), ints(positions.data(), tokens),
       matrix(tables.cos.data(), kPositions, half), matrix(tables.sin.data(), kPositions, half),
       matrix(dqkv.data(), tokens, width), vector(dq.data(), dim), vector(dk.data(), dim), heads,
       kv_heads, dim, eps});
  const auto loss = [&](const std::vector<double>& qkv, const std::vector<double>& qn,
                        const std::vector<double>& kn) {
    std::vector<double> out(size_t(tokens * 3 * dim));
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t head = 0; head < 3; ++head) {
        const double* x = &qkv[size_t(t * width + head * dim)];
        const auto& w = head < heads ? qn : kn;
        double squares = 0;
        for (int64_t i = 0; i < dim; ++i) squares += x[i] * x[i];
        const double scale = 1 / std::sqrt(squares / double(dim) + double(eps));
        for (int64_t i = 0; i < dim; ++i) {
          // rotate_half(n) = concat(−n[h:], n[:h])
          const int64_t j = i < half ? i + half : i - half;
          const double n = x[i] * scale * w[size_t(i)], m = x[j] * scale * w[size_t(j)];
          const auto table_at = size_t(positions[size_t(t)] * half + i % half);
          out[size_t((t * 3 + head) * dim + i)] =
              n * tables.cos[table_at] + (i < half ? -m : m) * tables.sin[table_at];
        }
      }
    return dot(out, dout);
  };
  const std::vector<double> x(qkv.begin(), qkv.end()), qn(q_norm.begin(), q_norm.end()),
      kn(k_norm.begin(), k_norm.end());
  check_gradient([&](const auto& p) { return loss(p, qn, kn); }, qkv, dqkv);
  check_gradient([&](const auto& p) { return loss(x, p, kn); }, q_norm, dq);
  check_gradient([&](const auto& p) { return loss(x, qn, p); }, k_norm, dk);
}

TEST_CASE("rotary embedding rejects positions beyond its tables") {
  CpuOps ops(*available_kernels().front(), 1);
  Matrix qkv = Matrix::random(1, 12, 1), out = Matrix::output(1, 8);
  auto norm = random_floats(4, 2);
  RopeTables tables = rope_tables(3, 4);
  std::vector<int32_t> positions = {3};
  CHECK_THROWS_WITH_AS(
      ops.qk_norm_rope_forward({qkv.tensor(), vector(norm.data(), 4), vector(norm.data(), 4),
                                ints(positions.data(), 1), matrix(tables.cos.data(), 3, 2),
                                matrix(tables.sin.data(), 3, 2), out.tensor(), 1, 1, 4}),
      "qk_norm_rope_forward: positions[0] = 3, must be in [0, 3)", std::invalid_argument);
}

// -- SwiGLU

TEST_CASE("swiglu matches the reference") {
  for (int64_t n : {1, 16, 45, 768}) {
    CAPTURE(n);
    check_backends([&](Ops& ops) {
      Matrix gate_up = Matrix::random(19, 2 * n, 51, 4.0f), y = Matrix::output(19, n);
      Matrix dy = Matrix::random(19, n, 52), dgate_up = Matrix::output(19, 2 * n);
      ops.swiglu_forward({gate_up.tensor(), y.tensor()});
      ops.swiglu_backward({dy.tensor(), gate_up.tensor(), dgate_up.tensor()});
      return std::vector{y.values(), dgate_up.values()};
    });
  }
}

TEST_CASE("swiglu saturates without NaN") {
  std::vector<float> gate_up = {-1e4f, -100, -88.5f, 0, 88.5f, 1e4f, 1, 1, 1, 1, 1, 1};
  for_each_cpu_backend([&](Ops& ops) {
    auto y = poisoned(6), dgate_up = poisoned(12);
    std::vector<float> dy(6, 1.0f);
    ops.swiglu_forward({matrix(gate_up.data(), 1, 12), matrix(y.data(), 1, 6)});
    ops.swiglu_backward(
        {matrix(dy.data(), 1, 6), matrix(gate_up.data(), 1, 12), matrix(dgate_up.data(), 1, 12)});
    CHECK(std::fabs(y[0]) < 1e-30f);
    CHECK(y[3] == 0.0f);
    CHECK(y[4] == 88.5f);
    CHECK(y[5] == 1e4f);
    CHECK(dgate_up[3] == 0.5f);
    CHECK(dgate_up[5] == 1.0f);
    for (float g : dgate_up) CHECK(std::isfinite(g));
  });
}

TEST_CASE("swiglu gradients match central differences") {
  const int64_t tokens = 2, n = 5;
  auto gate_up = random_floats(size_t(tokens * 2 * n), 61, 2.0f);
  auto dy = random_floats(size_t(tokens * n), 62);
  std::vector<float> dgate_up(gate_up.size());
  ReferenceOps ops;
  ops.swiglu_backward({matrix(dy.data(), tokens, n), matrix(gate_up.data(), tokens, 2 * n),
                       matrix(dgate_up.data(), tokens, 2 * n)});
  const auto loss = [&](const std::vector<double>& x) {
    double sum = 0;
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t c = 0; c < n; ++c) {
        const double gate = x[size_t(t * 2 * n + c)], up = x[size_t(t * 2 * n + n + c)];
        sum += dy[size_t(t * n + c)] * up * gate / (1 + std::exp(-gate));
      }
    return sum;
  };
  check_gradient(loss, gate_up, dgate_up);
}

}  // namespace
}  // namespace kogrpo
