#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::embedding_forward(const EmbeddingForward&) {
  throw std::logic_error("embedding_forward: not written yet");
}
void CpuOps::embedding_backward(const EmbeddingBackward&) {
  throw std::logic_error("embedding_backward: not written yet");
}
}  // namespace kogrpo
