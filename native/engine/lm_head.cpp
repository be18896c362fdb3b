#include "engine/lm_head.h"

#include <algorithm>
#include <vector>

#include "ops/transfer.h"

namespace kogrpo {
namespace {

// 128 MiB of logits: 220 rows of Qwen3's vocabulary, enough for the products to run at full speed.
constexpr int64_t kChunkFloats = int64_t{1} << 25;

}  // namespace

HeadRows HeadRows::select(const PackedBatch& batch, std::span<const uint8_t> mask,
                          std::span<const int32_t> targets) {
  HeadRows selected;
  for (size_t t = 0; t < targets.size(); ++t) {
    if (!mask.empty() && mask[t] == 0) continue;
    selected.rows.push_back(batch.row_of[t]);
    selected.targets.push_back(targets[t]);
    selected.tokens.push_back(static_cast<int32_t>(t));
  }
  if (!targets.empty()) return selected;
  const std::vector<int32_t>& cu = batch.whole_cu_seqlens;
  for (size_t b = 0; b + 1 < cu.size(); ++b)
    for (int32_t t = cu[b] + 1; t < cu[b + 1]; ++t) {
      const auto at = static_cast<size_t>(t);
      if (!mask.empty() && mask[at] == 0) continue;
      selected.rows.push_back(batch.row_of[at - 1]);
      selected.targets.push_back(batch.tokens[static_cast<size_t>(batch.row_of[at])]);
      selected.tokens.push_back(t);
    }
  return selected;
}

int64_t LmHead::chunk_rows(const HeadOptions& options) const {
  if (options.chunk > 0) return options.chunk;
  if (chunk_ > 0) return chunk_;
  return std::clamp<int64_t>(kChunkFloats / config_.head_size(), 32, 1024);
}

namespace {
Tensor indices(std::span<const int32_t> rows) {
  return ints(const_cast<int32_t*>(rows.data()), static_cast<int64_t>(rows.size()));
}
}  // namespace

Tensor LmHead::gather(const Tensor& hidden, std::span<const int32_t> rows) {
  const Tensor out = hidden_.reserve(device_, hidden.dtype, static_cast<int64_t>(rows.size()),
                                     config_.hidden_size);
  ops_.embedding_forward({indices(rows), hidden, out});
  return out;
}

Tensor LmHead::logits(const Tensor& hidden, std::span<const int32_t> rows, const Tensor& head,
                      const PackedWeight* packed) {
  return logits(gather(hidden, rows), head, packed);
}

Tensor LmHead::logits(const Tensor& hidden, const Tensor& head, const PackedWeight* packed) {
  const int64_t r = hidden.rows;
  logits_.reserve(device_, DType::f32, std::max(r, int64_t{1}), config_.head_size());
  const Tensor z = logits_.view(DType::f32, r, config_.head_size());
  ops_.linear({hidden, head, z, packed, false});
  scale(z);
  return z;
}

void LmHead::set_logit_scale(const std::vector<float>& scale) {
  logit_scale_.release();
  if (!scale.empty())
    to_device(device_, scale.data(),
              logit_scale_.reserve(device_, DType::f32, 1, static_cast<int64_t>(scale.size())));
}

void LmHead::scale(const Tensor& logits) {
  if (!logit_scale_.empty())
    ops_.scale_columns({logits, logit_scale_.view(DType::f32, 1, config_.head_size())});
}

// Views of one chunk: gathered hidden rows, their logits and the per-row vectors.
struct LmHead::Chunk {
  std::span<const int32_t> rows, tokens;
  Tensor logits, targets, values /*[3, R]: log-prob, entropy, whether correct*/, lse,
      coefs /*[2, R]: of the log-prob, of the entropy*/;

  Chunk(LmHead& lm, const HeadRows& all, int64_t begin, int64_t count, const Tensor& hidden,
        const Tensor& head, const PackedWeight* packed, const HeadOptions& options)
      : rows(std::span(all.rows).subspan(static_cast<size_t>(begin), static_cast<size_t>(count))),
        tokens(
            std::span(all.tokens).subspan(static_cast<size_t>(begin), static_cast<size_t>(count))),
        targets(ints(const_cast<int32_t*>(all.targets.data()) + begin, count)) {
    logits = lm.logits(hidden, rows, head, packed);
    const Tensor vectors = lm.per_row_.reserve(lm.device_, DType::f32, 6, count);
    values = vectors.row_range(0, 3);
    lse = vectors.row_range(3, 1);
    coefs = vectors.row_range(4, 2);
    lm.ops_.logits_forward({logits, targets, values.row_range(0, 1), entropy(), lse,
                            options.inv_temperature, options.vocab_limit, values.row_range(2, 1)});
  }

  Tensor entropy() const { return values.row_range(1, 1); }

  void scatter(Device& device, TokenValues& out) const {
    const std::vector<float> host = to_host(device, values);
    const size_t n = tokens.size();
    for (size_t i = 0; i < n; ++i) {
      const auto t = static_cast<size_t>(tokens[i]);
      out.logprobs[t] = host[i];
      out.entropies[t] = host[n + i];
      out.correct[t] = host[2 * n + i] != 0.0f;
    }
  }
};

void LmHead::forward(const Tensor& hidden, const Tensor& head, const PackedWeight* packed,
                     const HeadRows& rows, const HeadOptions& options, TokenValues& out,
                     const AbortFlag& abort) {
  const int64_t step = chunk_rows(options);
  for (int64_t begin = 0; begin < rows.size(); begin += step) {
    abort.check();
    const Chunk chunk(*this, rows, begin, std::min(step, rows.size() - begin), hidden, head, packed,
                      options);
    chunk.scatter(device_, out);
  }
}

void LmHead::forward_backward(const Tensor& hidden, const Tensor& head, const PackedWeight* packed,
                              const HeadRows& rows, const HeadOptions& options,
                              std::span<const float> coef, std::span<const float> coef_entropy,
                              TokenValues& out, const Tensor& dhidden, const Tensor& dhead,
                              const AbortFlag& abort) {
  zero(device_, dhidden);
  const int64_t step = chunk_rows(options), h = config_.hidden_size;
  for (int64_t begin = 0; begin < rows.size(); begin += step) {
    abort.check();
    const int64_t count = std::min(step, rows.size() - begin);
    const Chunk chunk(*this, rows, begin, count, hidden, head, packed, options);
    chunk.scatter(device_, out);
    std::vector<float> coefs(static_cast<size_t>(2 * count));
    for (size_t i = 0; i < chunk.tokens.size(); ++i) {
      const auto t = static_cast<size_t>(chunk.tokens[i]);
      coefs[i] = coef[t];
      coefs[chunk.tokens.size() + i] = coef_entropy.empty() ? 0.0f : coef_entropy[t];
    }
    to_device(device_, coefs.data(), chunk.coefs);
    // A scale is multiplied with; else nothing but products reads the gradient.
    const DType type = logit_scale_.empty() ? hidden.dtype : dhidden.dtype;
    const Tensor gradient = ops_.logits_backward(
        {chunk.logits, chunk.targets, chunk.entropy(), chunk.lse, chunk.coefs.row_range(0, 1),
         coef_entropy.empty() ? Tensor{} : chunk.coefs.row_range(1, 1), options.inv_temperature,
         options.vocab_limit, type});
    scale(gradient);
    const Tensor dx = dhidden_.reserve(device_, dhidden.dtype, count, h);
    ops_.linear_backward_input({gradient, head, dx, false, packed});
    if (dhead.data)
      ops_.linear_backward_weight({gradient, hidden_.view(hidden.dtype, count, h), dhead});
    // A row's predictions are added in their order, whatever the chunk.
    ops_.embedding_backward({indices(chunk.rows), dx, dhidden});
  }
}

}  // namespace kogrpo
