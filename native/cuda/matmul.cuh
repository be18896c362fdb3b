#pragma once
// Our own matrix product, C[M,N] (+)= A·B. cuBLASLt is faster and is used where it is present
// (blaslt.h); this one needs no library, and an element is one chain over k in steps of 16 (bf16)
// or 1 (fp32) whatever M, so it is batch invariant.

#include "cuda/context.h"
#include "ops/tensor.h"

namespace kogrpo::cuda {

struct Product {
  const char* op;
  // `a` is [M,K], or [K,M] when a_transposed; `b` is [N,K] or, when b_rows, [K,N]. All of one type,
  // but c may be fp32 where they are bf16.
  Tensor a, b, c;
  bool a_transposed = false, b_rows = false, accumulate = false;
};

void multiply(Context&, const Product&);

}  // namespace kogrpo::cuda
