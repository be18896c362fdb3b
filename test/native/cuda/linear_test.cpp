// The products of a linear layer, by our own kernels and through cuBLASLt (a stand-in for it here,
// test/native/cuda_emulation/fake_cublaslt.cpp; the library itself on a GPU).

#include "cuda/blaslt.h"
#include "device_testing.h"

namespace kogrpo {
namespace {

using namespace testing;

struct Size {
  int64_t m, n, k;
};

// All three products of one layer against the reference.
void check_layer(CudaOps& ops, DType type, DType result, const Size& s) {
  CAPTURE(s.m);
  CAPTURE(s.n);
  CAPTURE(s.k);
  Twin x = Twin::random(type, s.m, s.k, 1), w = Twin::random(type, s.n, s.k, 2);
  Twin dy = Twin::random(type, s.m, s.n, 3);
  const double bound = bound_of(result);
  for (const bool accumulate : {false, true}) {
    CAPTURE(accumulate);
    const auto target = [&](int64_t rows, int64_t cols) {
      return accumulate ? Twin::random(result, rows, cols, 4) : Twin::output(result, rows, cols);
    };
    Twin y = target(s.m, s.n), dx = target(s.m, s.k);
    ReferenceOps().linear({x.host(), w.host(), y.host(), nullptr, accumulate});
    ops.linear({x.device(), w.device(), y.device(), nullptr, accumulate});
    ops.synchronize();
    CHECK(y.error() <= bound);
    ReferenceOps().linear_backward_input({dy.host(), w.host(), dx.host(), accumulate});
    ops.linear_backward_input({dy.device(), w.device(), dx.device(), accumulate});
    ops.synchronize();
    CHECK(dx.error() <= bound);
  }
  Twin dw = Twin::random(result, s.n, s.k, 5);
  ReferenceOps().linear_backward_weight({dy.host(), x.host(), dw.host()});
  ops.linear_backward_weight({dy.device(), x.device(), dw.device()});
  ops.synchronize();
  CHECK(dw.error() <= bound);
}

TEST_CASE("products by our own kernels, whole tiles and edges") {
  for (const Size& s : {Size{128, 128, 32}, {5, 40, 72}, {131, 24, 136}})
    check_layer(cuda_ops(), DType::bf16, DType::bf16, s);
  check_layer(cuda_ops(), DType::bf16, DType::f32, {33, 136, 40});
  for (const Size& s : {Size{64, 64, 16}, {5, 37, 71}, {65, 1, 3}})
    check_layer(cuda_ops(), DType::f32, DType::f32, s);
}

TEST_CASE("a row of our own product does not depend on the other rows") {
  Twin x = Twin::random(DType::bf16, 70, 64, 1), w = Twin::random(DType::bf16, 72, 64, 2);
  Twin y = Twin::output(DType::f32, 70, 72), one = Twin::output(DType::f32, 1, 72);
  cuda_ops().linear({x.device(), w.device(), y.device(), nullptr, false});
  Tensor row = x.device();
  row.data = static_cast<bf16*>(row.data) + 66 * row.stride;
  row.rows = 1;
  cuda_ops().linear({row, w.device(), one.device(), nullptr, false});
  const auto all = y.download();
  CHECK(same_bits(one.download(), {all.begin() + 66 * 72, all.begin() + 67 * 72}));
}

TEST_CASE("an operand whose rows are not whole 16 bytes is refused") {
  Twin x = Twin::random(DType::bf16, 4, 20, 1), w = Twin::random(DType::bf16, 8, 20, 2);
  Twin y = Twin::output(DType::bf16, 4, 8);
  CHECK_THROWS_WITH_AS(cuda_ops().linear({x.device(), w.device(), y.device(), nullptr, false}),
                       "linear: the first factor must have rows of whole 16 bytes, on 16 bytes",
                       std::invalid_argument);
}

class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    const char* old = std::getenv(name);
    if (old) old_ = old;
    had_ = old != nullptr;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (had_)
      setenv(name_, old_.c_str(), 1);
    else
      unsetenv(name_);
  }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

#if defined(KOGRPO_FAKE_CUBLASLT)
TEST_CASE("products through cuBLASLt: layouts, and one plan per shape") {
  const Environment path("KOGRPO_CUBLASLT_LIB", KOGRPO_FAKE_CUBLASLT);
  CudaOps ops({.device = 0, .deterministic = false});
  CHECK(ops.products().find("cuBLASLt 13.1.1") == 0);
  check_layer(ops, DType::bf16, DType::bf16, {5, 40, 72});
  check_layer(ops, DType::bf16, DType::f32, {33, 16, 40});
  check_layer(ops, DType::f32, DType::f32, {7, 37, 71});

  cuda::Context context(0);
  cuda::BlasLt blas(context);
  Twin x = Twin::random(DType::f32, 4, 8, 1), w = Twin::random(DType::f32, 6, 8, 2);
  Twin y = Twin::output(DType::f32, 4, 6);
  const cuda::Product product{"linear", x.device(), w.device(), y.device()};
  blas.multiply(product);
  blas.multiply(product);
  CHECK(blas.plans() == 1);
}
#endif

#if !defined(KOGRPO_EMULATION)
TEST_CASE("products through the cuBLASLt of this machine") {
  CudaOps ops({.device = 0, .deterministic = false});
  MESSAGE(ops.products());
  check_layer(ops, DType::bf16, DType::bf16, {130, 264, 128});
  check_layer(ops, DType::bf16, DType::f32, {33, 136, 40});
  check_layer(ops, DType::f32, DType::f32, {65, 40, 24});
}
#endif

TEST_CASE("a missing cuBLASLt is an error that says what was tried and what to do") {
  const Environment path("KOGRPO_CUBLASLT_LIB", "/nowhere/libcublasLt.so.13");
  std::string message;
  try {
    CudaOps ops({.device = 0, .deterministic = false});
  } catch (const CudaError& e) {
    message = e.what();
  }
  CHECK(message.find("cuBLASLt") == 0);
  CHECK(message.find("/nowhere/libcublasLt.so.13: ") != std::string::npos);
  CHECK(message.find("set KOGRPO_CUBLASLT_LIB to the library's path") != std::string::npos);
  CHECK(message.find("KOGRPO_CUBLASLT_LIB=none does without") != std::string::npos);
}

TEST_CASE("a library without the symbols is an error that names them") {
  const Environment path("KOGRPO_CUBLASLT_LIB", "libm.so.6");
  CHECK_THROWS_WITH_AS(CudaOps({.device = 0, .deterministic = false}),
                       "'libm.so.6' has no symbol cublasLtCreate", CudaError);
}

}  // namespace
}  // namespace kogrpo
