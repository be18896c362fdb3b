#include "cuda/blaslt.h"
#include "cuda/context.h"
#include "cuda/cuda_ops.h"

namespace kogrpo {

CudaOps::CudaOps(const CudaOptions& options)
    : options_(options), context_(std::make_unique<cuda::Context>(options.device)) {
  name_ = std::string("cuda: ") + context_->properties.name;
  if (!options.deterministic) blas_ = cuda::BlasLt::load(*context_);
}

CudaOps::~CudaOps() = default;

std::string CudaOps::products() const {
  return blas_ ? blas_->name() : std::string();
}

void CudaOps::synchronize() {
  context_->synchronize();
}

}  // namespace kogrpo
