#pragma once
// LM head fused with log-prob, entropy and their gradients, in chunks of rows: tokens × vocabulary
// logits never exist beyond one chunk. Per row 2·H·V operations forward, 4·H·V backward.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/errors.h"
#include "engine/transformer.h"
#include "ops/ops.h"
#include "ops/storage.h"

namespace kogrpo {

struct HeadOptions {
  float inv_temperature = 1.0f;
  int64_t vocab_limit = 0;  // ids at or above it have probability 0
  int64_t chunk = 0;        // rows per chunk; 0: as many as kChunkFloats allow
};

// The predictions asked for: hidden row `rows[i]` of the batch predicts token `targets[i]`, which
// stands at `tokens[i]` of the caller's sequences. A row that sequences share may predict several.
struct HeadRows {
  std::vector<int32_t> rows, targets, tokens;

  // Every token but each sequence's first, where `mask` (may be empty: all) is non-zero, predicted
  // by the row before it. With `targets` (one per token): every token where `mask` is non-zero, and
  // its own row predicts targets[t].
  static HeadRows select(const PackedBatch& batch, std::span<const uint8_t> mask,
                         std::span<const int32_t> targets = {});
  int64_t size() const { return static_cast<int64_t>(rows.size()); }
};

// Per token of the caller's sequences; 0 where nothing was asked for and at each sequence's first
// token.
struct TokenValues {
  std::vector<float> logprobs, entropies;
  std::vector<uint8_t> correct;  // 1: no id is likelier

  explicit TokenValues(size_t tokens) : logprobs(tokens), entropies(tokens), correct(tokens) {}
};

class LmHead {
 public:
  // `chunk`: rows of logits at a time where HeadOptions leaves it open; 0: as suits a CPU's caches.
  LmHead(Device& device, const ModelConfig& config, int64_t chunk = 0)
      : device_(device), ops_(device.ops()), config_(config), chunk_(chunk) {}

  // Fills `out`, which has the length of the caller's tokens and holds zeros.
  void forward(const Tensor& hidden, const Tensor& head, const PackedWeight* packed,
               const HeadRows& rows, const HeadOptions& options, TokenValues& out,
               const AbortFlag& abort);

  // Forward, and the gradient of L with ∂L/∂logprob[t] = coef[t], ∂L/∂entropy[t] = coef_entropy[t]
  // (may be empty: 0) formed inside each chunk: dhidden [T,H] overwritten, dhead accumulated (none
  // where it has no data).
  void forward_backward(const Tensor& hidden, const Tensor& head, const PackedWeight* packed,
                        const HeadRows& rows, const HeadOptions& options,
                        std::span<const float> coef, std::span<const float> coef_entropy,
                        TokenValues& out, const Tensor& dhidden, const Tensor& dhead,
                        const AbortFlag& abort);

  // Whole rows of logits [rows.size(), V] in fp32, for sampling and tests. The result lives until
  // the next call.
  Tensor logits(const Tensor& hidden, std::span<const int32_t> rows, const Tensor& head,
                const PackedWeight* packed);
  // The same of all rows of `hidden`.
  Tensor logits(const Tensor& hidden, const Tensor& head, const PackedWeight* packed);

  int64_t chunk_rows(const HeadOptions& options) const;

  // Every logit of id v is multiplied by scale[v] from now on, in logits(), forward() and
  // forward_backward() alike, so that sampling and training agree; empty: plain logits again.
  void set_logit_scale(const std::vector<float>& scale);

 private:
  struct Chunk;
  Tensor gather(const Tensor& hidden, std::span<const int32_t> rows);
  void scale(const Tensor& logits);

  Device& device_;
  Ops& ops_;
  const ModelConfig& config_;
  int64_t chunk_;
  Storage hidden_, dhidden_, logits_, per_row_;
  Storage logit_scale_;  // [V], or empty
};

}  // namespace kogrpo
