// Row-wise operations of the CUDA backend against the reference.

#include "device_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

TEST_CASE("embedding: rows of the table, and sums per id in token order") {
  for_each_type([](DType type) {
    for (const int64_t width : {64, 36}) {
      CAPTURE(width);
      std::vector<int32_t> id = {3, 0, 3, 6, 3, 0, 5};
      const auto n = int64_t(id.size());
      const Tensor ids = ints(id.data(), n);
      Twin table = Twin::random(type, 7, width, 1), out = Twin::output(type, n, width);
      ReferenceOps().embedding_forward({ids, table.host(), out.host()});
      cuda_ops().embedding_forward({ids, table.device(), out.device()});
      CHECK(out.error() == 0);

      Twin dout = Twin::random(type, n, width, 2), dtable = Twin::random(type, 7, width, 3);
      ReferenceOps().embedding_backward({ids, dout.host(), dtable.host()});
      cuda_ops().embedding_backward({ids, dout.device(), dtable.device()});
      CHECK(dtable.error() <= bound_of(type));
    }
  });
}

TEST_CASE("embedding rejects ids outside the table") {
  std::vector<int32_t> id = {1, 7};
  Twin table = Twin::random(DType::f32, 7, 8, 1), out = Twin::output(DType::f32, 2, 8);
  CHECK_THROWS_WITH_AS(
      cuda_ops().embedding_forward({ints(id.data(), 2), table.device(), out.device()}),
      "embedding_forward: ids[1] = 7, must be in [0, 7)", std::invalid_argument);
}

TEST_CASE("RMSNorm and its gradients") {
  for_each_type([](DType type) {
    for (const int64_t width : {32, 36, 5120}) {
      CAPTURE(width);
      const int64_t rows = 11;  // more than the blocks of the emulated device
      Twin x = Twin::random(type, rows, width, 1), w = Twin::vector(width, 2, type);
      Twin y = Twin::output(type, rows, width), rstd = Twin::vector_output(rows);
      ReferenceOps().rmsnorm_forward({x.host(), w.host(), y.host(), rstd.host(), 1e-6f});
      cuda_ops().rmsnorm_forward({x.device(), w.device(), y.device(), rstd.device(), 1e-6f});
      CHECK(y.error() <= bound_of(type));
      CHECK(rstd.error() <= 1e-12);
      rstd.put(rstd.values());
      for (const bool accumulate : {false, true}) {
        Twin dy = Twin::random(type, rows, width, 3);
        Twin dx = accumulate ? Twin::random(type, rows, width, 4) : Twin::output(type, rows, width);
        Twin dw = Twin::vector(width, 5, type);
        ReferenceOps().rmsnorm_backward(
            {dy.host(), x.host(), w.host(), rstd.host(), dx.host(), dw.host(), accumulate});
        cuda_ops().rmsnorm_backward({dy.device(), x.device(), w.device(), rstd.device(),
                                     dx.device(), dw.device(), accumulate});
        CHECK(dx.error() <= bound_of(type));
        CHECK(dw.error() <= bound_of(type));
      }
    }
  });
}

TEST_CASE("q/k norm with rotary embedding, and its gradients, at every head size") {
  for_each_type([](DType type) {
    for (const int64_t dim : {16, 32, 64, 128, 256}) {
      CAPTURE(dim);
      const int64_t tokens = 7, q = 4, kv = 2, heads = q + kv;
      std::vector<int32_t> position = {0, 1, 2, 0, 1, 8, 5};
      const Tensor positions = ints(position.data(), tokens);
      Twin qkv = Twin::random(type, tokens, (q + 2 * kv) * dim, 1);
      Twin qw = Twin::vector(dim, 2, type), kw = Twin::vector(dim, 3, type);
      Twin cos = Twin::random(DType::f32, 9, dim / 2, 4, 1, 0),
           sin = Twin::random(DType::f32, 9, dim / 2, 5, 1, 0);
      Twin out = Twin::output(type, tokens, heads * dim);
      ReferenceOps().qk_norm_rope_forward({qkv.host(), qw.host(), kw.host(), positions, cos.host(),
                                           sin.host(), out.host(), q, kv, dim, 1e-6f});
      cuda_ops().qk_norm_rope_forward({qkv.device(), qw.device(), kw.device(), positions,
                                       cos.device(), sin.device(), out.device(), q, kv, dim,
                                       1e-6f});
      CHECK(out.error() <= bound_of(type));

      Twin dout = Twin::random(type, tokens, heads * dim, 6);
      Twin dqkv = Twin::random(type, tokens, (q + 2 * kv) * dim, 7);  // v's part stays
      Twin dq = Twin::vector(dim, 8, type), dk = Twin::vector(dim, 9, type);
      ReferenceOps().qk_norm_rope_backward({dout.host(), qkv.host(), qw.host(), kw.host(),
                                            positions, cos.host(), sin.host(), dqkv.host(),
                                            dq.host(), dk.host(), q, kv, dim, 1e-6f});
      cuda_ops().qk_norm_rope_backward({dout.device(), qkv.device(), qw.device(), kw.device(),
                                        positions, cos.device(), sin.device(), dqkv.device(),
                                        dq.device(), dk.device(), q, kv, dim, 1e-6f});
      CHECK(dqkv.error() <= bound_of(type));
      CHECK(dq.error() <= bound_of(type));
      CHECK(dk.error() <= bound_of(type));
    }
  });
}

TEST_CASE("SwiGLU and its gradient") {
  for_each_type([](DType type) {
    for (const int64_t width : {64, 36, 2056}) {
      CAPTURE(width);
      Twin gate_up = Twin::random(type, 5, 2 * width, 1, 2), y = Twin::output(type, 5, width);
      ReferenceOps().swiglu_forward({gate_up.host(), y.host()});
      cuda_ops().swiglu_forward({gate_up.device(), y.device()});
      CHECK(y.error() <= bound_of(type));
      Twin dy = Twin::random(type, 5, width, 2), d = Twin::output(type, 5, 2 * width);
      ReferenceOps().swiglu_backward({dy.host(), gate_up.host(), d.host()});
      cuda_ops().swiglu_backward({dy.device(), gate_up.device(), d.device()});
      CHECK(d.error() <= bound_of(type));
      Twin again = Twin::output(type, 5, width);
      const SwigluBackward both{dy.device(), gate_up.device(), d.device(), again.device()};
      cuda_ops().swiglu_backward(both);
      ReferenceOps().swiglu_backward({dy.host(), gate_up.host(), d.host(), again.host()});
      CHECK(d.error() <= bound_of(type));
      CHECK(again.error() <= bound_of(type));
    }
  });
}

TEST_CASE("a wrong shape is refused with both shapes") {
  Twin gate_up = Twin::random(DType::f32, 5, 63, 1), y = Twin::output(DType::f32, 5, 32);
  CHECK_THROWS_WITH_AS(cuda_ops().swiglu_forward({gate_up.device(), y.device()}),
                       "swiglu_forward: gate_up has shape [5, 63], expected [5, 64]",
                       std::invalid_argument);
}

}  // namespace

TEST_CASE("dropout on the device: the reference's mask, overwriting and accumulating") {
  const std::vector<uint64_t> ids = {1, 0xfedcba9876543210u, 3, 1, 77};
  for_each_type([&](DType type) {
    for (const int64_t cols : {6, 1030})
      for (const bool accumulate : {false, true}) {
        Twin x = Twin::random(type, 5, cols, 31), out = Twin::random(type, 5, cols, 32);
        const auto call = [&](const Tensor& from, const Tensor& to) {
          return Dropout{from, to, ids.data(), 12, 0x0123456789abcdefu, 0.25, accumulate};
        };
        ReferenceOps().dropout(call(x.host(), out.host()));
        cuda_ops().dropout(call(x.device(), out.device()));
        CHECK(out.error() <= bound_of(type));
        // What is left out is exactly 0, rows with one identity have one mask.
        if (accumulate) continue;
        const std::vector<float> got = out.download();
        int64_t zeros = 0;
        for (int64_t c = 0; c < cols; ++c) {
          CHECK((got[size_t(c)] == 0) == (got[size_t(3 * cols + c)] == 0));
          zeros += got[size_t(c)] == 0;
        }
        if (cols > 1000) CHECK(std::fabs(double(zeros) / double(cols) - 0.25) < 0.06);
      }
  });
}

}  // namespace kogrpo
