#pragma once
// The part of cuBLASLt's interface that blaslt.cu uses, declared here because the library is loaded
// at run time and its header may be absent. Names without the cublasLt prefix; values as in
// NVIDIA's cublasLt.h and cublas_api.h, versions 12 and 13
// (test/native/cuda_emulation/check_blaslt_api.cpp compiles against the true header where there is
// one and compares).

#include <cstddef>
#include <cstdint>

namespace kogrpo::cuda::blaslt {

using Status = int;  // 0: success
using Handle = void*;
using MatmulDesc = void*;
using MatrixLayout = void*;
using Preference = void*;
using Stream = void*;

constexpr int kF32 = 0, kBf16 = 14;  // cudaDataType
constexpr int kComputeF32 = 68;      // cublasComputeType_t
constexpr int kTranspose = 1;        // cublasOperation_t
constexpr int kDescTransA = 3, kDescTransB = 4;
constexpr int kPrefWorkspace = 1, kPrefAlignmentA = 5, kPrefAlignmentB = 6, kPrefAlignmentC = 7,
              kPrefAlignmentD = 8;

struct Algo {
  uint64_t data[8];
};
struct Heuristic {
  Algo algo;
  size_t workspace_size;
  Status state;
  float waves;
  int reserved[4];
};

using GetVersion = size_t();
using GetStatusString = const char*(Status);
using Create = Status(Handle*);
using Destroy = Status(Handle);
using MatmulDescCreate = Status(MatmulDesc*, int compute_type, int scale_type);
using MatmulDescDestroy = Status(MatmulDesc);
using MatmulDescSetAttribute = Status(MatmulDesc, int attribute, const void*, size_t);
using MatrixLayoutCreate = Status(MatrixLayout*, int type, uint64_t rows, uint64_t cols,
                                  int64_t ld);
using MatrixLayoutDestroy = Status(MatrixLayout);
using PreferenceCreate = Status(Preference*);
using PreferenceDestroy = Status(Preference);
using PreferenceSetAttribute = Status(Preference, int attribute, const void*, size_t);
using GetHeuristic = Status(Handle, MatmulDesc, MatrixLayout a, MatrixLayout b, MatrixLayout c,
                            MatrixLayout d, Preference, int requested, Heuristic*, int* returned);
using Matmul = Status(Handle, MatmulDesc, const void* alpha, const void* a, MatrixLayout,
                      const void* b, MatrixLayout, const void* beta, const void* c, MatrixLayout,
                      void* d, MatrixLayout, const Algo*, void* workspace, size_t, Stream);

}  // namespace kogrpo::cuda::blaslt
