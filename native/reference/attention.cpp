// Attention as its definition: softmax(scale·q·k) over the keys up to the row's own position, and
// the derivative of that; one row at a time, sums in double precision. Of Precision::bf16 the query
// times scale, keys, values and the output's gradient are rounded; probabilities and their
// gradients are not.

#include <algorithm>
#include <cmath>
#include <vector>

#include "reference/bf16.h"
#include "reference/reference_ops.h"

namespace kogrpo {
namespace {

double dot(const double* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// A tensor's values as products take them, times `scale` in single precision.
struct Operand {
  std::vector<double> values;
  int64_t cols;

  Operand(const Tensor& x, Precision precision, float scale = 1) : cols(x.cols) {
    for (int64_t r = 0; r < x.rows; ++r)
      for (int64_t c = 0; c < x.cols; ++c)
        values.push_back(precision == Precision::bf16 ? rounded(x.row(r)[c] * scale, precision)
                                                      : double(x.row(r)[c]) * double(scale));
  }
  const double* row(int64_t r) const { return values.data() + r * cols; }
};

// Turns scores into probabilities; returns log Σ exp.
double softmax(std::vector<double>& s) {
  double top = s[0], sum = 0;
  for (double x : s) top = std::max(top, x);
  for (double& x : s) sum += x = std::exp(x - top);
  for (double& x : s) x /= sum;
  return top + std::log(sum);
}

struct Head {
  int64_t q_column, k_column;
};
Head head_of(int64_t h, int64_t q_heads, int64_t kv_heads, int64_t head_dim) {
  return {h * head_dim, h / (q_heads / kv_heads) * head_dim};
}

// Rows of the keys that row `t` of sequence `b` sees: its prefix's, then its own up to itself, or
// all of its own.
std::vector<int64_t> seen(const Tensor& cu, const Tensor& prefixes, int64_t b, int64_t t,
                          bool causal) {
  std::vector<int64_t> rows;
  if (prefixes.data != nullptr && prefixes.i32()[b] > 0) {
    int64_t root = b;
    while (prefixes.i32()[root] > 0) --root;
    for (int64_t i = 0; i < prefixes.i32()[b]; ++i) rows.push_back(cu.i32()[root] + i);
  }
  const int64_t last = causal ? t : cu.i32()[b + 1] - 1;
  for (int64_t row = cu.i32()[b]; row <= last; ++row) rows.push_back(row);
  return rows;
}

}  // namespace

void ReferenceOps::attention_forward(const AttentionForward& op) {
  const int32_t* cu = op.cu_seqlens.i32();
  const Operand q(op.q, op.precision, op.scale), k(op.k, op.precision), v(op.v, op.precision);
  for (int64_t b = 0; b + 1 < op.cu_seqlens.cols; ++b)
    for (int64_t t = cu[b]; t < cu[b + 1]; ++t)
      for (int64_t h = 0; h < op.q_heads; ++h) {
        const Head at = head_of(h, op.q_heads, op.kv_heads, op.head_dim);
        const std::vector<int64_t> keys = seen(op.cu_seqlens, op.prefixes, b, t, op.causal);
        std::vector<double> p;
        for (int64_t key : keys)
          p.push_back(dot(q.row(t) + at.q_column, k.row(key) + at.k_column, op.head_dim));
        op.lse.row(t)[h] = float(softmax(p));
        for (int64_t d = 0; d < op.head_dim; ++d) {
          double sum = 0;
          for (size_t i = 0; i < keys.size(); ++i) sum += p[i] * v.row(keys[i])[at.k_column + d];
          op.out.row(t)[at.q_column + d] = float(sum);
        }
      }
}

void ReferenceOps::attention_backward(const AttentionBackward& op) {
  const int64_t depth = op.head_dim, width = op.kv_heads * depth;
  std::vector<double> dk(size_t(op.k.rows * width)), dv(dk.size());
  const int32_t* cu = op.cu_seqlens.i32();
  const Operand queries(op.q, op.precision, op.scale), douts(op.dout, op.precision);
  const Operand all_keys(op.k, op.precision), values(op.v, op.precision);
  for (int64_t b = 0; b + 1 < op.cu_seqlens.cols; ++b)
    for (int64_t t = cu[b]; t < cu[b + 1]; ++t)
      for (int64_t h = 0; h < op.q_heads; ++h) {
        const Head at = head_of(h, op.q_heads, op.kv_heads, depth);
        const double* q = queries.row(t) + at.q_column;
        const double* dout = douts.row(t) + at.q_column;
        const std::vector<int64_t> keys = seen(op.cu_seqlens, op.prefixes, b, t, op.causal);
        std::vector<double> p, dp, dq(static_cast<size_t>(depth));
        for (int64_t key : keys) {
          p.push_back(dot(q, all_keys.row(key) + at.k_column, depth));
          dp.push_back(dot(dout, values.row(key) + at.k_column, depth));
        }
        softmax(p);
        double delta = 0;
        for (size_t i = 0; i < p.size(); ++i) delta += p[i] * dp[i];
        for (size_t i = 0; i < keys.size(); ++i) {
          const double ds = p[i] * (dp[i] - delta);
          const double* k = all_keys.row(keys[i]) + at.k_column;
          const size_t to = size_t(keys[i] * width + at.k_column);
          for (int64_t d = 0; d < depth; ++d) {
            dq[size_t(d)] += ds * k[d] * double(op.scale);
            dk[to + size_t(d)] += ds * q[d];
            dv[to + size_t(d)] += p[i] * dout[d];
          }
        }
        for (int64_t d = 0; d < depth; ++d) op.dq.row(t)[at.q_column + d] = float(dq[size_t(d)]);
      }
  if (op.cu_seqlens.cols < 1) return;
  for (int64_t t = cu[0]; t < cu[op.cu_seqlens.cols - 1]; ++t)
    for (int64_t i = 0; i < width; ++i) {
      op.dk.row(t)[i] = float(dk[size_t(t * width + i)]);
      op.dv.row(t)[i] = float(dv[size_t(t * width + i)]);
    }
}

namespace {

// Where a token's element d of a key or value head stands in the pool.
int64_t page_start(const KvPages& pages, int64_t sequence, int64_t position, int64_t head) {
  const int64_t page = pages.block_table[sequence * pages.max_pages + position / kPageTokens];
  return (page * pages.kv_heads + head) * pages.head_dim * kPageTokens;
}
float& key_at(const KvPages& pages, int64_t sequence, int64_t position, int64_t head, int64_t d) {
  return pages
      .keys[page_start(pages, sequence, position, head) + d * kPageTokens + position % kPageTokens];
}
float& value_at(const KvPages& pages, int64_t sequence, int64_t position, int64_t head, int64_t d) {
  return pages.values[page_start(pages, sequence, position, head) +
                      position % kPageTokens * pages.head_dim + d];
}

}  // namespace

void ReferenceOps::kv_append(const KvAppend& op) {
  for (int64_t s = 0; s < op.spans.sequences; ++s)
    for (int64_t row = op.spans.cu_rows[s]; row < op.spans.cu_rows[s + 1]; ++row) {
      const int64_t position = op.spans.first_position[s] + row - op.spans.cu_rows[s];
      for (int64_t h = 0; h < op.pages.kv_heads; ++h)
        for (int64_t d = 0; d < op.pages.head_dim; ++d) {
          key_at(op.pages, s, position, h, d) = op.k.row(row)[h * op.pages.head_dim + d];
          value_at(op.pages, s, position, h, d) = op.v.row(row)[h * op.pages.head_dim + d];
        }
    }
}

void ReferenceOps::attention_cached(const AttentionCached& op) {
  const int64_t depth = op.pages.head_dim;
  for (int64_t s = 0; s < op.spans.sequences; ++s)
    for (int64_t row = op.spans.cu_rows[s]; row < op.spans.cu_rows[s + 1]; ++row) {
      const int64_t position = op.spans.first_position[s] + row - op.spans.cu_rows[s];
      for (int64_t h = 0; h < op.q_heads; ++h) {
        const int64_t kv = h / (op.q_heads / op.pages.kv_heads);
        std::vector<double> p;
        for (int64_t key = 0; key <= position; ++key) {
          double sum = 0;
          for (int64_t d = 0; d < depth; ++d)
            sum += double(op.q.row(row)[h * depth + d]) * key_at(op.pages, s, key, kv, d);
          p.push_back(sum * op.scale);
        }
        softmax(p);
        for (int64_t d = 0; d < depth; ++d) {
          double sum = 0;
          for (int64_t key = 0; key <= position; ++key)
            sum += p[size_t(key)] * value_at(op.pages, s, key, kv, d);
          op.out.row(row)[h * depth + d] = float(sum);
        }
      }
    }
}

}  // namespace kogrpo
