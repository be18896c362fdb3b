#include "engine/lm_head.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace kogrpo {
namespace {

// 128 MiB of logits: 220 rows of Qwen3's vocabulary, enough for the products to run at full speed.
constexpr int64_t kChunkFloats = int64_t{1} << 25;

}  // namespace

HeadRows HeadRows::select(const PackedBatch& batch, std::span<const uint8_t> mask) {
  HeadRows selected;
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
  return std::clamp<int64_t>(kChunkFloats / config_.vocab_size, 32, 1024);
}

Tensor LmHead::gather(const Tensor& hidden, std::span<const int32_t> rows) {
  const int64_t h = config_.hidden_size;
  float* out = hidden_.reserve(rows.size() * static_cast<size_t>(h));
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(out + static_cast<int64_t>(i) * h, hidden.row(rows[i]),
                static_cast<size_t>(h) * sizeof(float));
  return matrix(out, static_cast<int64_t>(rows.size()), h);
}

Tensor LmHead::logits(const Tensor& hidden, std::span<const int32_t> rows, const Tensor& head,
                      const PackedWeight* packed) {
  const auto r = static_cast<int64_t>(rows.size());
  const Tensor x = gather(hidden, rows);
  const Tensor z =
      matrix(logits_.reserve(static_cast<size_t>(std::max(r, int64_t{1}) * config_.vocab_size)), r,
             config_.vocab_size);
  ops_.linear({x, head, z, packed, false});
  scale(z);
  return z;
}

void LmHead::scale(const Tensor& logits) {
  if (!logit_scale_.empty())
    ops_.scale_columns({logits, vector(logit_scale_.data(), config_.vocab_size)});
}

// Views of one chunk: gathered hidden rows, their logits and the per-row vectors.
struct LmHead::Chunk {
  std::span<const int32_t> rows, tokens;
  Tensor logits, targets, logprob, entropy, lse, coef, coef_entropy, correct;

  Chunk(LmHead& lm, const HeadRows& all, int64_t begin, int64_t count, const Tensor& hidden,
        const Tensor& head, const PackedWeight* packed, const HeadOptions& options)
      : rows(std::span(all.rows).subspan(static_cast<size_t>(begin), static_cast<size_t>(count))),
        tokens(
            std::span(all.tokens).subspan(static_cast<size_t>(begin), static_cast<size_t>(count))),
        targets(ints(const_cast<int32_t*>(all.targets.data()) + begin, count)) {
    logits = lm.logits(hidden, rows, head, packed);
    float* p = lm.per_row_.reserve(static_cast<size_t>(6 * count));
    logprob = vector(p, count);
    entropy = vector(p + count, count);
    lse = vector(p + 2 * count, count);
    coef = vector(p + 3 * count, count);
    coef_entropy = vector(p + 4 * count, count);
    correct = vector(p + 5 * count, count);
    lm.ops_.logits_forward({logits, targets, logprob, entropy, lse, options.inv_temperature,
                            options.vocab_limit, correct});
  }

  void scatter(TokenValues& out) const {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const auto t = static_cast<size_t>(tokens[i]);
      out.logprobs[t] = logprob.f32()[i];
      out.entropies[t] = entropy.f32()[i];
      out.correct[t] = correct.f32()[i] != 0.0f;
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
    chunk.scatter(out);
  }
}

void LmHead::forward_backward(const Tensor& hidden, const Tensor& head, const HeadRows& rows,
                              const HeadOptions& options, std::span<const float> coef,
                              std::span<const float> coef_entropy, TokenValues& out,
                              const Tensor& dhidden, const Tensor& dhead, const AbortFlag& abort) {
  std::memset(dhidden.data, 0, static_cast<size_t>(dhidden.size()) * sizeof(float));
  std::vector<bool> written(static_cast<size_t>(dhidden.rows));
  const int64_t step = chunk_rows(options), h = config_.hidden_size;
  for (int64_t begin = 0; begin < rows.size(); begin += step) {
    abort.check();
    const int64_t count = std::min(step, rows.size() - begin);
    const Chunk chunk(*this, rows, begin, count, hidden, head, nullptr, options);
    chunk.scatter(out);
    for (int64_t i = 0; i < count; ++i) {
      const auto t = static_cast<size_t>(chunk.tokens[static_cast<size_t>(i)]);
      chunk.coef.f32()[i] = coef[t];
      chunk.coef_entropy.f32()[i] = coef_entropy.empty() ? 0.0f : coef_entropy[t];
    }
    ops_.logits_backward({chunk.logits, chunk.targets, chunk.entropy, chunk.lse, chunk.coef,
                          coef_entropy.empty() ? Tensor{} : chunk.coef_entropy,
                          options.inv_temperature, options.vocab_limit});
    scale(chunk.logits);
    const Tensor dx = matrix(dhidden_.reserve(static_cast<size_t>(count * h)), count, h);
    ops_.linear_backward_input({chunk.logits, head, dx, false});
    if (dhead.data)
      ops_.linear_backward_weight({chunk.logits, matrix(hidden_.data(), count, h), dhead});
    for (int64_t i = 0; i < count; ++i) {  // a row's predictions in order, whatever the chunk
      const auto row = static_cast<size_t>(chunk.rows[static_cast<size_t>(i)]);
      float* to = dhidden.row(static_cast<int64_t>(row));
      const float* from = dx.row(i);
      if (!written[row])
        std::memcpy(to, from, static_cast<size_t>(h) * sizeof(float));
      else
        for (int64_t j = 0; j < h; ++j) to[j] += from[j];
      written[row] = true;
    }
  }
}

}  // namespace kogrpo
