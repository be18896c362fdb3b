#pragma once
// The matrix product's terms: C[M,N] (+)= Σ_k A[m,k]·B[k,n], the one form behind a linear layer's
// three products (matmul.cpp), on blocked and packed operands (kernels/matmul.inl).
//
// B is copied into panels of `matmul_nr` columns: panel p holds columns [p·nr, (p+1)·nr) as rows of
// nr floats, k ascending, columns beyond N filled with zeros. Panels make the innermost loop read B
// front to back, whatever the form of the product; a PackedWeight is B in panels.

#include "cpu/kernels.h"

namespace kogrpo {

// An operand in memory, as seen by an outer index i (A's row m, B's column n) and k.
struct MatmulOperand {
  const void* data = nullptr;
  int64_t stride = 0;         // elements between consecutive rows in memory
  bool k_contiguous = false;  // element (i, k) is data[i·stride + k], else data[k·stride + i]
  bool narrow = false;        // elements are bf16 (of products in bf16), else fp32

  int64_t element_size() const { return narrow ? 2 : 4; }
  // The element (i, k).
  const void* at(int64_t i, int64_t k) const {
    const int64_t offset = k_contiguous ? i * stride + k : k * stride + i;
    return static_cast<const char*>(data) + offset * element_size();
  }
};

// Copies columns n of B, for k in `ks`, into panels: panel p starts at out + p·panel_stride and its
// first row is ks.begin's.
struct MatmulPack {
  MatmulOperand b;
  int64_t n = 0;  // columns of B; those of the last panel beyond it become zeros
  Range panels;   // of these
  Range ks;
  float* out = nullptr;  // panel 0, 64-byte aligned
  int64_t panel_stride = 0;
  bool bf16 = false;  // words of two rounded values: ks, panels and scratch count words of k
  int64_t depth = 0;  // with bf16: all k there are in memory
  // With bf16, and of rows along n: a word's earlier k is in its upper half, which the chain takes
  // first (kernels/bf16.inl). Else it is in the lower.
  bool in_order = false;
};

// C's rows × panels' columns += the products over ks. Where `load` is false, ks.begin's chain
// starts from zero; otherwise, and for later blocks of ks, it goes on from C.
struct MatmulBlock {
  MatmulOperand a;
  const float* b = nullptr;  // panel 0 at k = ks.begin
  int64_t panel_stride = 0;
  float* c = nullptr;  // element (0, 0)
  int64_t c_stride = 0;
  int64_t n = 0;  // columns of C
  Range rows, panels, ks;
  bool load = false;
  float* scratch = nullptr;  // matmul_scratch floats, 64-byte aligned
  bool bf16 = false;         // as in MatmulPack; in_order where a is not k_contiguous
  int64_t depth = 0;
};

}  // namespace kogrpo
