#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::embedding_forward(const EmbeddingForward&) {
  throw std::logic_error("embedding_forward: not written yet");
}
void ReferenceOps::embedding_backward(const EmbeddingBackward&) {
  throw std::logic_error("embedding_backward: not written yet");
}
}  // namespace kogrpo
