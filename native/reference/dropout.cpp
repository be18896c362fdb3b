// Dropout's mask, element by element.
#include "ops/philox.h"
#include "reference/reference_ops.h"

namespace kogrpo {

void ReferenceOps::dropout(const Dropout& a) {
  for (int64_t t = 0; t < a.x.rows; ++t)
    for (int64_t c = 0; c < a.x.cols; ++c) {
      const auto words = philox(uint32_t(c / 4), a.place, uint32_t(a.identities[t]),
                                uint32_t(a.identities[t] >> 32), a.key);
      const bool dropped = words[size_t(c % 4)] >> 8 < dropout_threshold(a.p);
      const double kept = dropped ? 0 : a.x.row(t)[c] / (1 - a.p);
      a.out.row(t)[c] = float((a.accumulate ? a.out.row(t)[c] : 0.0) + kept);
    }
}

}  // namespace kogrpo
