// Compiled, not run, where NVIDIA's header is at hand: the declarations of cuda/blaslt_api.h are
// its.
//   g++ -std=c++20 -fsyntax-only -Inative -I<cublas include> -I<cuda include> <this file>
#include <cublasLt.h>

#include <type_traits>

#include "cuda/blaslt_api.h"

namespace api = kogrpo::cuda::blaslt;

static_assert(CUDA_R_32F == api::kF32 && CUDA_R_16BF == api::kBf16);
static_assert(CUBLAS_COMPUTE_32F == api::kComputeF32 && CUBLAS_OP_T == api::kTranspose);
static_assert(CUBLASLT_MATMUL_DESC_TRANSA == api::kDescTransA &&
              CUBLASLT_MATMUL_DESC_TRANSB == api::kDescTransB);
static_assert(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES == api::kPrefWorkspace &&
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES == api::kPrefAlignmentA &&
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES == api::kPrefAlignmentB &&
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES == api::kPrefAlignmentC &&
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES == api::kPrefAlignmentD);
static_assert(CUBLAS_STATUS_SUCCESS == 0);
static_assert(sizeof(api::Algo) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(api::Heuristic) == sizeof(cublasLtMatmulHeuristicResult_t) &&
              offsetof(api::Heuristic, workspace_size) ==
                  offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) &&
              offsetof(api::Heuristic, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));

// Two function types that a caller cannot tell apart: as many parameters, each of the same size and
// both pointers or both not.
template <class A, class B>
struct Alike;
template <class R, class... A, class S, class... B>
struct Alike<R(A...), S(B...)> {
  template <class X, class Y>
  static constexpr bool same =
      sizeof(X) == sizeof(Y) && std::is_pointer_v<X> == std::is_pointer_v<Y>;
  static constexpr bool value = sizeof...(A) == sizeof...(B) && same<R, S> && (same<A, B> && ...);
};
#define KOGRPO_ALIKE(name) \
  static_assert(Alike<api::name, std::remove_pointer_t<decltype(&cublasLt##name)>>::value)
static_assert(Alike<api::GetHeuristic,
                    std::remove_pointer_t<decltype(&cublasLtMatmulAlgoGetHeuristic)>>::value);
static_assert(Alike<api::PreferenceCreate,
                    std::remove_pointer_t<decltype(&cublasLtMatmulPreferenceCreate)>>::value);
static_assert(Alike<api::PreferenceDestroy,
                    std::remove_pointer_t<decltype(&cublasLtMatmulPreferenceDestroy)>>::value);
static_assert(Alike<api::PreferenceSetAttribute,
                    std::remove_pointer_t<decltype(&cublasLtMatmulPreferenceSetAttribute)>>::value);
KOGRPO_ALIKE(GetVersion);
KOGRPO_ALIKE(GetStatusString);
KOGRPO_ALIKE(Create);
KOGRPO_ALIKE(Destroy);
KOGRPO_ALIKE(MatmulDescCreate);
KOGRPO_ALIKE(MatmulDescDestroy);
KOGRPO_ALIKE(MatmulDescSetAttribute);
KOGRPO_ALIKE(MatrixLayoutCreate);
KOGRPO_ALIKE(MatrixLayoutDestroy);
KOGRPO_ALIKE(Matmul);
