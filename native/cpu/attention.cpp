#include <stdexcept>

#include "cpu/cpu_ops.h"

namespace kogrpo {
void CpuOps::attention_forward(const AttentionForward&) {
  throw std::logic_error("attention_forward: not written yet");
}
void CpuOps::attention_backward(const AttentionBackward&) {
  throw std::logic_error("attention_backward: not written yet");
}
void CpuOps::kv_append(const KvAppend&) {
  throw std::logic_error("kv_append: not written yet");
}
void CpuOps::attention_cached(const AttentionCached&) {
  throw std::logic_error("attention_cached: not written yet");
}
}  // namespace kogrpo
