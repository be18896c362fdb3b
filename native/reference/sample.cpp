#include <stdexcept>

#include "reference/reference_ops.h"

namespace kogrpo {
void ReferenceOps::sample(const Sample&) {
  throw std::logic_error("sample: not written yet");
}
}  // namespace kogrpo
