// A stand-in for cuBLASLt with its interface and its column-major conventions, on the CPU: it
// follows the descriptors to the letter, so that what cuda/blaslt.cu asks for is tested.

#include <dlfcn.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>

#include "cuda/blaslt_api.h"
#include "ops/bf16.h"

using namespace kogrpo::cuda::blaslt;

namespace {

struct Desc {
  std::map<int, int32_t> attributes;
};
struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t ld;
};

float at(const void* p, const Layout& l, uint64_t row, uint64_t col) {
  const int64_t i = int64_t(col) * l.ld + int64_t(row);
  return l.type == kBf16 ? kogrpo::widen(static_cast<const kogrpo::bf16*>(p)[i])
                         : static_cast<const float*>(p)[i];
}

constexpr int kInvalid = 7;

// Opens the emulation's device memory for its life.
struct Access {
  using Open = void(int);
  Open* open = reinterpret_cast<Open*>(dlsym(RTLD_DEFAULT, "kogrpo_emulation_open"));
  Access() { open(1); }
  ~Access() { open(0); }
};

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT size_t cublasLtGetVersion() {
  return 130101;
}
EXPORT const char* cublasLtGetStatusString(Status s) {
  return s == 0 ? "ok" : "invalid value";
}
EXPORT Status cublasLtCreate(Handle* h) {
  *h = new int(0);
  return 0;
}
EXPORT Status cublasLtDestroy(Handle h) {
  delete static_cast<int*>(h);
  return 0;
}
EXPORT Status cublasLtMatmulDescCreate(MatmulDesc* d, int compute, int scale) {
  if (compute != kComputeF32 || scale != kF32) return kInvalid;
  *d = new Desc;
  return 0;
}
EXPORT Status cublasLtMatmulDescDestroy(MatmulDesc d) {
  delete static_cast<Desc*>(d);
  return 0;
}
EXPORT Status cublasLtMatmulDescSetAttribute(MatmulDesc d, int attribute, const void* value,
                                             size_t size) {
  if (size != sizeof(int32_t)) return kInvalid;
  std::memcpy(&static_cast<Desc*>(d)->attributes[attribute], value, size);
  return 0;
}
EXPORT Status cublasLtMatrixLayoutCreate(MatrixLayout* l, int type, uint64_t rows, uint64_t cols,
                                         int64_t ld) {
  if (ld < int64_t(rows)) return kInvalid;
  *l = new Layout{type, rows, cols, ld};
  return 0;
}
EXPORT Status cublasLtMatrixLayoutDestroy(MatrixLayout l) {
  delete static_cast<Layout*>(l);
  return 0;
}
EXPORT Status cublasLtMatmulPreferenceCreate(Preference* p) {
  *p = new int(0);
  return 0;
}
EXPORT Status cublasLtMatmulPreferenceDestroy(Preference p) {
  delete static_cast<int*>(p);
  return 0;
}
EXPORT Status cublasLtMatmulPreferenceSetAttribute(Preference, int attribute, const void*,
                                                   size_t size) {
  return size == (attribute == kPrefWorkspace ? sizeof(uint64_t) : sizeof(uint32_t)) ? 0 : kInvalid;
}
EXPORT Status cublasLtMatmulAlgoGetHeuristic(Handle, MatmulDesc, MatrixLayout, MatrixLayout,
                                             MatrixLayout, MatrixLayout, Preference, int requested,
                                             Heuristic* found, int* count) {
  *count = requested < 2 ? requested : 2;
  for (int i = 0; i < *count; ++i) found[i] = Heuristic{};
  return 0;
}
EXPORT Status cublasLtMatmul(Handle, MatmulDesc desc, const void* alpha, const void* a,
                             MatrixLayout a_layout, const void* b, MatrixLayout b_layout,
                             const void* beta, const void* c, MatrixLayout c_layout, void* d,
                             MatrixLayout d_layout, const Algo*, void*, size_t, Stream) {
  const auto& attributes = static_cast<Desc*>(desc)->attributes;
  const auto transposed = [&](int which) {
    const auto found = attributes.find(which);
    return found != attributes.end() && found->second == kTranspose;
  };
  const Layout la = *static_cast<Layout*>(a_layout), lb = *static_cast<Layout*>(b_layout);
  const Layout lc = *static_cast<Layout*>(c_layout), ld = *static_cast<Layout*>(d_layout);
  const bool ta = transposed(kDescTransA), tb = transposed(kDescTransB);
  const uint64_t m = ta ? la.cols : la.rows, k = ta ? la.rows : la.cols;
  const uint64_t n = tb ? lb.rows : lb.cols;
  if (k != (tb ? lb.cols : lb.rows) || m != ld.rows || n != ld.cols || la.type != lb.type)
    return kInvalid;
  const float x = *static_cast<const float*>(alpha), y = *static_cast<const float*>(beta);
  const std::function<void()> work = [=] {
    const Access access;
    for (uint64_t j = 0; j < n; ++j)
      for (uint64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (uint64_t l = 0; l < k; ++l)
          sum += double(ta ? at(a, la, l, i) : at(a, la, i, l)) *
                 double(tb ? at(b, lb, j, l) : at(b, lb, l, j));
        const float value = float(double(x) * sum + (y == 0 ? 0.0 : double(y) * at(c, lc, i, j)));
        const int64_t to = int64_t(j) * ld.ld + int64_t(i);
        if (ld.type == kBf16)
          static_cast<kogrpo::bf16*>(d)[to] = kogrpo::round_to_bf16(value);
        else
          static_cast<float*>(d)[to] = value;
      }
  };
  using Enqueue = void(const std::function<void()>*);
  reinterpret_cast<Enqueue*>(dlsym(RTLD_DEFAULT, "kogrpo_emulation_enqueue"))(&work);
  return 0;
}
