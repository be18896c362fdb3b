// Embedding: a look-up forward, an addition per token backward (in double over the tokens of a
// row, added to the table once).
#include <map>
#include <vector>

#include "reference/bf16.h"
#include "reference/reference_ops.h"

namespace kogrpo {

void ReferenceOps::embedding_forward(const EmbeddingForward& a) {
  for (int64_t t = 0; t < a.ids.cols; ++t)
    for (int64_t c = 0; c < a.table.cols; ++c)
      a.out.row(t)[c] = float(rounded(a.table.row(a.ids.i32()[t])[c], a.table.precision));
}

void ReferenceOps::embedding_backward(const EmbeddingBackward& a) {
  std::map<int32_t, std::vector<double>> sums;
  for (int64_t t = 0; t < a.ids.cols; ++t) {
    const int32_t id = a.ids.i32()[t];
    auto& sum = sums[id];
    if (sum.empty()) sum.assign(a.dtable.row(id), a.dtable.row(id) + a.dtable.cols);
    for (int64_t c = 0; c < a.dtable.cols; ++c) sum[size_t(c)] += a.dout.row(t)[c];
  }
  for (const auto& [id, sum] : sums)
    for (int64_t c = 0; c < a.dtable.cols; ++c) a.dtable.row(id)[c] = float(sum[size_t(c)]);
}

}  // namespace kogrpo
