#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::attention_forward(const AttentionForward&) {
  throw std::logic_error("attention_forward: not written yet");
}
void ReferenceOps::attention_backward(const AttentionBackward&) {
  throw std::logic_error("attention_backward: not written yet");
}
void ReferenceOps::kv_append(const KvAppend&) {
  throw std::logic_error("kv_append: not written yet");
}
void ReferenceOps::attention_cached(const AttentionCached&) {
  throw std::logic_error("attention_cached: not written yet");
}
}  // namespace kogrpo
