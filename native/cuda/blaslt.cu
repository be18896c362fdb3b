// See blaslt.h. cuBLASLt thinks in columns: our row-major C[M,N] is its Cᵀ [N,M], so it is asked
// for Cᵀ = op(second factor) · op(first factor), each operand described as it lies in memory.

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cuda/blaslt.h"
#include "cuda/dispatch.h"

namespace kogrpo::cuda {
namespace {

constexpr size_t kWorkspace = size_t{64} << 20;
constexpr int kCandidates = 8, kTimings = 3;
// A later guess of the library's must be faster by this: noise is not to choose the last bits.
constexpr float kGain = 0.97f;

int type_of(DType t) {
  return t == DType::bf16 ? blaslt::kBf16 : blaslt::kF32;
}

// The largest power of two up to 256 that divides the address and the row length in bytes.
uint32_t alignment(const Tensor& t) {
  const auto bits = reinterpret_cast<uintptr_t>(t.data) |
                    static_cast<uintptr_t>(t.stride * int64_t(size_of(t.dtype))) | 256u;
  return static_cast<uint32_t>(bits & (~bits + 1));
}

}  // namespace

struct BlasLt::Plan {
  const BlasLt& owner;
  blaslt::MatmulDesc desc = nullptr;
  blaslt::MatrixLayout a = nullptr, b = nullptr, c = nullptr;
  blaslt::Algo algo{};

  explicit Plan(const BlasLt& o) : owner(o) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    if (desc) owner.desc_destroy_(desc);
    for (const blaslt::MatrixLayout layout : {a, b, c})
      if (layout) owner.layout_destroy_(layout);
  }
};

std::unique_ptr<BlasLt> BlasLt::load(Context& context) {
  const char* chosen = std::getenv("KOGRPO_CUBLASLT_LIB");
  if (chosen && std::strcmp(chosen, "none") == 0) return nullptr;
  return std::make_unique<BlasLt>(context);
}

BlasLt::BlasLt(Context& context)
    : context_(context),
      library_("cuBLASLt (the products of matrices; KOGRPO_CUBLASLT_LIB=none does without, slower)",
               "KOGRPO_CUBLASLT_LIB",
               {"libcublasLt.so.13", "libcublasLt.so.12", "/usr/local/cuda/lib64/libcublasLt.so",
                "/usr/lib/x86_64-linux-gnu/libcublasLt.so"}) {
  blaslt::Create* create = nullptr;
  library_.load(create, "cublasLtCreate");
  library_.load(destroy_, "cublasLtDestroy");
  library_.load(get_version_, "cublasLtGetVersion");
  library_.load(get_status_string_, "cublasLtGetStatusString");
  library_.load(desc_create_, "cublasLtMatmulDescCreate");
  library_.load(desc_destroy_, "cublasLtMatmulDescDestroy");
  library_.load(desc_set_, "cublasLtMatmulDescSetAttribute");
  library_.load(layout_create_, "cublasLtMatrixLayoutCreate");
  library_.load(layout_destroy_, "cublasLtMatrixLayoutDestroy");
  library_.load(preference_create_, "cublasLtMatmulPreferenceCreate");
  library_.load(preference_destroy_, "cublasLtMatmulPreferenceDestroy");
  library_.load(preference_set_, "cublasLtMatmulPreferenceSetAttribute");
  library_.load(get_heuristic_, "cublasLtMatmulAlgoGetHeuristic");
  library_.load(matmul_, "cublasLtMatmul");
  if (get_version_() < 120000)
    throw CudaError(name() + " is too old; version 12 or later is needed");
  workspace_.reserve(kWorkspace);
  check(create(&handle_), "cublasLtCreate");
}

BlasLt::~BlasLt() {
  plans_.clear();
  if (handle_) destroy_(handle_);
}

std::string BlasLt::name() const {
  const size_t v = get_version_();
  return "cuBLASLt " + std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." +
         std::to_string(v % 100) + " (" + library_.path() + ")";
}

void BlasLt::check(blaslt::Status status, const char* call) const {
  if (status == 0) return;
  throw CudaError(std::string(call) + ": " + get_status_string_(status) + " (" +
                  std::to_string(status) + ")");
}

void BlasLt::run(const Plan& plan, const blaslt::Algo& algo, const Product& p, void* out) {
  const float alpha = 1, beta = p.accumulate ? 1.0f : 0.0f;
  check(matmul_(handle_, plan.desc, &alpha, p.b.data, plan.b, p.a.data, plan.a, &beta, p.c.data,
                plan.c, out, plan.c, &algo, workspace_.data(), kWorkspace, context_.stream()),
        p.op);
}

float BlasLt::time(const Plan& plan, const blaslt::Algo& algo, const Product& p, void* out) {
  struct Event {
    cudaEvent_t event = nullptr;
    Event() { KOGRPO_CUDA(cudaEventCreate(&event)); }
    ~Event() { cudaEventDestroy(event); }
  } begin, end;
  float best = 0;
  for (int i = 0; i <= kTimings; ++i) {  // the first is a warm-up
    KOGRPO_CUDA(cudaEventRecord(begin.event, context_.stream()));
    run(plan, algo, p, out);
    KOGRPO_CUDA(cudaEventRecord(end.event, context_.stream()));
    KOGRPO_CUDA(cudaEventSynchronize(end.event));
    float ms = 0;
    KOGRPO_CUDA(cudaEventElapsedTime(&ms, begin.event, end.event));
    if (i == 1 || (i > 1 && ms < best)) best = ms;
  }
  return best;
}

BlasLt::Plan& BlasLt::plan(const Product& p) {
  const std::vector<int64_t> key = {
      p.c.rows,           p.c.cols,           p.a_transposed ? p.a.rows : p.a.cols,
      p.a.stride,         p.b.stride,         p.c.stride,
      p.a_transposed,     p.b_rows,           p.accumulate,
      int64_t(p.a.dtype), int64_t(p.c.dtype), alignment(p.a),
      alignment(p.b),     alignment(p.c)};
  auto& slot = plans_[key];
  if (slot) return *slot;
  auto made = std::make_unique<Plan>(*this);
  check(desc_create_(&made->desc, blaslt::kComputeF32, blaslt::kF32), "cublasLtMatmulDescCreate");
  // The library's first operand is our second factor: [N,K] in rows is its [K,N], to be transposed;
  // lying as [K,N] it is [N,K] already. Its second is our first: [M,K] is its [K,M], as wanted.
  const int transpose = blaslt::kTranspose;
  if (!p.b_rows)
    check(desc_set_(made->desc, blaslt::kDescTransA, &transpose, sizeof transpose), "TRANSA");
  if (p.a_transposed)
    check(desc_set_(made->desc, blaslt::kDescTransB, &transpose, sizeof transpose), "TRANSB");
  const auto layout = [&](blaslt::MatrixLayout& l, const Tensor& t) {
    check(layout_create_(&l, type_of(t.dtype), uint64_t(t.cols), uint64_t(t.rows), t.stride),
          "cublasLtMatrixLayoutCreate");
  };
  layout(made->a, p.a);
  layout(made->b, p.b);
  layout(made->c, p.c);

  struct PreferenceOwner {
    const BlasLt& owner;
    blaslt::Preference p = nullptr;
    ~PreferenceOwner() {
      if (p) owner.preference_destroy_(p);
    }
  } preference{*this};
  check(preference_create_(&preference.p), "cublasLtMatmulPreferenceCreate");
  const auto prefer = [&](int attribute, auto value) {
    check(preference_set_(preference.p, attribute, &value, sizeof value),
          "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(blaslt::kPrefWorkspace, uint64_t{kWorkspace});
  prefer(blaslt::kPrefAlignmentA, alignment(p.b));
  prefer(blaslt::kPrefAlignmentB, alignment(p.a));
  prefer(blaslt::kPrefAlignmentC, alignment(p.c));
  prefer(blaslt::kPrefAlignmentD, alignment(p.c));
  blaslt::Heuristic found[kCandidates];
  int count = 0;
  check(get_heuristic_(handle_, made->desc, made->b, made->a, made->c, made->c, preference.p,
                       kCandidates, found, &count),
        "cublasLtMatmulAlgoGetHeuristic");
  const int64_t depth = p.a_transposed ? p.a.rows : p.a.cols;
  if (count == 0)
    throw CudaError(std::string(p.op) + ": cuBLASLt has no algorithm for [" +
                    std::to_string(p.c.rows) + ", " + std::to_string(p.c.cols) + "] over " +
                    std::to_string(depth));
  made->algo = found[0].algo;

  // Timed into the result itself, which is computed again afterwards; an accumulating product would
  // add up, so it is timed into memory of its own, if there is room.
  DeviceBuffer<unsigned char> copy;
  void* out = p.c.data;
  if (p.accumulate) {
    const size_t bytes = size_t(p.c.rows * p.c.stride) * size_of(p.c.dtype);
    size_t free = 0, total = 0;
    KOGRPO_CUDA(cudaMemGetInfo(&free, &total));
    out = bytes < free / 2 ? copy.reserve(bytes) : nullptr;
  }
  float best = 0;
  for (int i = 0; i < count && count > 1 && out; ++i) {
    if (found[i].state != 0) continue;
    const float ms = time(*made, found[i].algo, p, out);
    if (best == 0 || ms < kGain * best) {
      best = ms;
      made->algo = found[i].algo;
    }
  }
  slot = std::move(made);
  return *slot;
}

void BlasLt::multiply(const Product& p) {
  const Plan& found = plan(p);
  run(found, found.algo, p, p.c.data);
}

}  // namespace kogrpo::cuda
