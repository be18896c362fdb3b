#pragma once
// One step of generation on the model: rows of any sequences through all layers against the paged
// key/value cache, then the head on the rows that are asked for. A prompt chunk has many rows, a
// sequence that is being continued one; every row's result is independent of the others.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/kv_cache.h"
#include "engine/lm_head.h"
#include "engine/transformer.h"
#include "ops/ops.h"
#include "ops/step_queue.h"

namespace kogrpo {

// The rows of one step. Sequence s owns rows [cu_rows[s], cu_rows[s+1]), and something will be
// asked of the last asked[s] of them.
struct StepRows {
  std::vector<int32_t> tokens, positions, cu_rows{0}, first_position, asked;
  std::vector<std::span<const int32_t>> pages;  // of each sequence

  // Rows for tokens [begin, begin + count) of a sequence that lies in `pages`.
  void add(std::span<const int32_t> sequence, int64_t begin, int64_t count,
           std::span<const int32_t> sequence_pages, int64_t asked_rows);
  bool empty() const { return tokens.empty(); }
};

// What is wanted of one hidden row of a step.
struct HeadQuery {
  int32_t row = 0;
  bool sample = false;  // draw a token by `sampling`
  bool score = false;   // the model's log-prob of `target`, or of the token drawn
  int32_t target = -1;
  int32_t top = 0;  // and of the `top` likeliest ids
  SamplingParams sampling;
};

struct HeadAnswer {
  int32_t token = -1;       // the token drawn, −1 where logits were not finite; or the target
  float logprob = 0;        // of the token drawn, under the distribution it was drawn from
  float model_logprob = 0;  // at temperature 1 over the whole vocabulary
  std::vector<int32_t> top_ids;
  std::vector<float> top_logprobs;
};

class Decoder {
 public:
  Decoder(Device& device, const ModelConfig& config, Transformer& transformer, LmHead& head)
      : device_(device),
        ops_(device.ops()),
        config_(config),
        transformer_(transformer),
        head_(head) {}

  // Of weights and activations; of keys and values.
  DType type() const { return transformer_.type(); }
  DType cache_type() const { return transformer_.attention_type(); }

  // Told of the model's blocks in forward(), as Transformer's: a block's weights need to be there
  // from then on only. They must stay until other ones are set; null: none.
  void set_hooks(const BlockHooks* hooks) { hooks_ = hooks; }

  // Keys and values of the rows go into the pages; the hidden states of those that will be asked
  // are kept for answer(). The others, most of a prompt's, end with the last layer's keys and
  // values.
  void forward(const ModelView& weights, const PackedModel& packed, KvCache& cache,
               const StepRows& rows);
  // In the order of the queries. Log-probs are bit-equal to Engine::forward's.
  std::vector<HeadAnswer> answer(const ModelView& weights, const PackedModel& packed,
                                 std::span<const HeadQuery> queries, int64_t vocab_limit);

  // Both at once for rows that all draw a token and ask for nothing else, without waiting: the
  // tokens come of queue.take(). The same bits as forward() and answer() give, where a row's bits
  // do not depend on the batch.
  void queue_step(StepQueue& queue, const ModelView& weights, const PackedModel& packed,
                  KvCache& cache, std::span<const StepRow> rows, int64_t vocab_limit);
  // Whether the queue takes such a step: not where weights come block by block.
  bool queues(const StepQueue& queue, int64_t rows, int64_t pages) const;

 private:
  // What the rows are, as operations take it.
  struct Indices {
    Tensor ids, positions;
    RowSpans spans;
    const int32_t* block_table;
    int64_t max_pages;
  };
  struct Asked;
  // The final hidden states of all rows, or of those of a step that are asked.
  Tensor layers(const ModelView& weights, const PackedModel& packed, KvCache& cache,
                const Indices& rows, const Asked* asked);
  void answer_chunk(const Tensor& logits, std::span<const HeadQuery* const> queries,
                    int64_t vocab_limit, std::span<HeadAnswer* const> answers);

  Device& device_;
  Ops& ops_;
  const ModelConfig& config_;
  Transformer& transformer_;
  LmHead& head_;
  const BlockHooks* hooks_ = nullptr;
  Tensor hidden_;               // of the last forward's rows that will be asked,
  std::vector<int32_t> place_;  // where each of its rows lies there; −1: it will not be asked
  std::vector<int32_t> block_table_;
  Storage x_, asked_x_, normed_, rstd_, qkv_, qk_, attention_, gate_up_, act_, per_row_;
};

}  // namespace kogrpo
