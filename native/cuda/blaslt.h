#pragma once
// Matrix products by cuBLASLt, loaded at run time: KOGRPO_CUBLASLT_LIB names the library, "none"
// chooses our own kernel instead. A plan (descriptors and algorithm) is made once per shape: of the
// library's best guesses the fastest in a short timing is kept for the life of the object.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/blaslt_api.h"
#include "cuda/library.h"
#include "cuda/matmul.cuh"

namespace kogrpo::cuda {

class BlasLt {
 public:
  // Null if KOGRPO_CUBLASLT_LIB is "none". Throws CudaError if the library cannot be loaded.
  static std::unique_ptr<BlasLt> load(Context& context);
  explicit BlasLt(Context& context);
  ~BlasLt();

  void multiply(const Product& product);
  // "cuBLASLt 13.1.1 (libcublasLt.so.13)"
  std::string name() const;
  size_t plans() const { return plans_.size(); }

 private:
  struct Plan;
  Plan& plan(const Product& product);
  void check(blaslt::Status status, const char* call) const;
  float time(const Plan& plan, const blaslt::Algo& algo, const Product& product, void* out);
  void run(const Plan& plan, const blaslt::Algo& algo, const Product& product, void* out);

  Context& context_;
  Library library_;
  blaslt::GetVersion* get_version_ = nullptr;
  blaslt::GetStatusString* get_status_string_ = nullptr;
  blaslt::Destroy* destroy_ = nullptr;
  blaslt::MatmulDescCreate* desc_create_ = nullptr;
  blaslt::MatmulDescDestroy* desc_destroy_ = nullptr;
  blaslt::MatmulDescSetAttribute* desc_set_ = nullptr;
  blaslt::MatrixLayoutCreate* layout_create_ = nullptr;
  blaslt::MatrixLayoutDestroy* layout_destroy_ = nullptr;
  blaslt::PreferenceCreate* preference_create_ = nullptr;
  blaslt::PreferenceDestroy* preference_destroy_ = nullptr;
  blaslt::PreferenceSetAttribute* preference_set_ = nullptr;
  blaslt::GetHeuristic* get_heuristic_ = nullptr;
  blaslt::Matmul* matmul_ = nullptr;
  blaslt::Handle handle_ = nullptr;
  DeviceBuffer<unsigned char> workspace_;
  std::map<std::vector<int64_t>, std::unique_ptr<Plan>> plans_;
};

}  // namespace kogrpo::cuda
