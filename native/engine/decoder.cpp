#include "engine/decoder.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "ops/transfer.h"

namespace kogrpo {

void StepRows::add(std::span<const int32_t> sequence, int64_t begin, int64_t count,
                   std::span<const int32_t> sequence_pages, int64_t asked_rows) {
  for (int64_t t = begin; t < begin + count; ++t) {
    tokens.push_back(sequence[static_cast<size_t>(t)]);
    positions.push_back(static_cast<int32_t>(t));
  }
  cu_rows.push_back(static_cast<int32_t>(tokens.size()));
  first_position.push_back(static_cast<int32_t>(begin));
  pages.push_back(sequence_pages);
  asked.push_back(static_cast<int32_t>(asked_rows));
}

namespace {

// For every sequence its pages, as many for each as the longest has: how many that is.
int64_t fill_block_table(std::span<const std::span<const int32_t>> pages,
                         std::vector<int32_t>& table) {
  size_t max_pages = 0;
  for (const auto& own : pages) max_pages = std::max(max_pages, own.size());
  table.assign(pages.size() * max_pages, -1);
  for (size_t s = 0; s < pages.size(); ++s)
    std::copy(pages[s].begin(), pages[s].end(),
              table.begin() + static_cast<int64_t>(s * max_pages));
  return static_cast<int64_t>(max_pages);
}

RowSpans spans_of(const std::vector<int32_t>& cu_rows, const std::vector<int32_t>& first_position) {
  return {cu_rows.data(), first_position.data(), static_cast<int64_t>(first_position.size())};
}

}  // namespace

// The asked rows of a step, as a step of their own: the last layer's behind its keys and values.
struct Decoder::Asked {
  std::vector<int32_t> rows, cu_rows{0}, first_position, block_table;  // rows: of the whole step
  int64_t max_pages = 0;

  explicit Asked(const StepRows& all) {
    std::vector<std::span<const int32_t>> pages;
    for (size_t s = 0; s < all.asked.size(); ++s) {
      if (all.asked[s] == 0) continue;
      const int32_t end = all.cu_rows[s + 1], begin = end - all.asked[s];
      for (int32_t row = begin; row < end; ++row) rows.push_back(row);
      cu_rows.push_back(static_cast<int32_t>(rows.size()));
      first_position.push_back(all.first_position[s] + begin - all.cu_rows[s]);
      pages.push_back(all.pages[s]);
    }
    max_pages = fill_block_table(pages, block_table);
  }
  int64_t count() const { return static_cast<int64_t>(rows.size()); }
  Tensor ids() const { return ints(const_cast<int32_t*>(rows.data()), count()); }
  RowSpans spans() const { return spans_of(cu_rows, first_position); }
};

Tensor Decoder::layers(const ModelView& weights, const PackedModel& packed, KvCache& cache,
                       const Indices& rows, const Asked* asked) {
  const int64_t r = rows.ids.cols;
  const int64_t h = config_.hidden_size, i = config_.intermediate_size;
  const int64_t q = config_.q_size(), kv = config_.kv_size();
  const auto buffer = [&](Storage& storage, int64_t cols) {
    return storage.reserve(device_, type(), r, cols);
  };
  const Tensor qkv = buffer(qkv_, q + 2 * kv);
  const auto operand = [&](Storage& storage, const Tensor& weight, int64_t count, int64_t cols) {
    return storage.reserve(device_, transformer_.operands(weight), count, cols);
  };
  Tensor x = buffer(x_, h);
  Tensor qk = buffer(qk_, q + kv), attention = buffer(attention_, q);
  Tensor gate_up = buffer(gate_up_, 2 * i);
  Tensor rstd = rstd_.reserve(device_, DType::f32, 1, r);
  RopeTable& rope = transformer_.rope();
  Lora& lora = transformer_.lora();

  const auto before = [&](int64_t block) {
    if (hooks_) hooks_->before(block);
  };
  before(0);
  ops_.embedding_forward({rows.ids, weights.embed, x});
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    before(static_cast<int64_t>(l) + 1);
    const LayerView& w = weights.layers[l];
    const PackedModel::Layer& p = packed.layers[l];
    KvPages pages = cache.layer(static_cast<int64_t>(l), rows.block_table, rows.max_pages);
    RowSpans spans = rows.spans;
    Tensor normed = operand(normed_, w.qkv, r, h), act = operand(act_, w.down, r, i);
    ops_.rmsnorm_forward({x, w.input_norm, normed, rstd, config_.rms_norm_eps});
    ops_.linear({normed, w.qkv, qkv, p.qkv.get(), false});
    lora.forward(w.lora_qkv, normed, qkv);
    ops_.qk_norm_rope_forward({qkv, w.q_norm, w.k_norm, rows.positions, rope.cos(), rope.sin(), qk,
                               config_.num_heads, config_.num_kv_heads, config_.head_dim,
                               config_.rms_norm_eps});
    ops_.kv_append({qk.columns(q, kv), qkv.columns(q + kv, kv), pages, spans});
    if (asked && l + 1 == weights.layers.size()) {
      const int64_t n = asked->count();
      if (n == 0) break;
      // From here on a row concerns nobody but those who ask for it. What is over lends its memory.
      const Tensor own = asked_x_.reserve(device_, type(), n, h);
      ops_.embedding_forward({asked->ids(), x, own});
      ops_.embedding_forward({asked->ids(), qk.columns(0, q), attention.row_range(0, n)});
      x = own;
      qk = attention;
      attention = qk_.view(type(), n, q);
      for (Tensor* t : {&normed, &qk, &gate_up, &act}) *t = t->row_range(0, n);
      rstd = rstd.columns(0, n);
      pages = cache.layer(static_cast<int64_t>(l), asked->block_table.data(), asked->max_pages);
      spans = asked->spans();
    }
    ops_.attention_cached({qk.columns(0, q), attention, pages, spans, config_.num_heads,
                           1.0f / std::sqrt(static_cast<float>(config_.head_dim))});
    ops_.linear({attention, w.o, x, p.o.get(), true});
    lora.forward(w.lora_o, attention, x);
    ops_.rmsnorm_forward({x, w.post_norm, normed, rstd, config_.rms_norm_eps});
    ops_.linear({normed, w.gate_up, gate_up, p.gate_up.get(), false});
    lora.forward(w.lora_gate_up, normed, gate_up);
    ops_.swiglu_forward({gate_up, act});
    ops_.linear({act, w.down, x, p.down.get(), true});
    lora.forward(w.lora_down, act, x);
  }
  before(config_.num_layers + 1);
  const Tensor normed = operand(normed_, weights.head, asked ? asked->count() : r, h);
  if (normed.rows == 0) return normed;
  ops_.rmsnorm_forward({x, weights.final_norm, normed, rstd, config_.rms_norm_eps});
  return normed;
}

void Decoder::forward(const ModelView& weights, const PackedModel& packed, KvCache& cache,
                      const StepRows& rows) {
  const auto count = static_cast<int64_t>(rows.tokens.size());
  transformer_.rope().reserve(1 + *std::max_element(rows.positions.begin(), rows.positions.end()));
  const int64_t max_pages = fill_block_table(rows.pages, block_table_);
  const Asked asked(rows);
  place_.assign(rows.tokens.size(), -1);
  for (size_t i = 0; i < asked.rows.size(); ++i)
    place_[static_cast<size_t>(asked.rows[i])] = static_cast<int32_t>(i);
  hidden_ = layers(weights, packed, cache,
                   {ints(const_cast<int32_t*>(rows.tokens.data()), count),
                    ints(const_cast<int32_t*>(rows.positions.data()), count),
                    spans_of(rows.cu_rows, rows.first_position), block_table_.data(), max_pages},
                   asked.count() < count ? &asked : nullptr);
}

bool Decoder::queues(const StepQueue& queue, int64_t rows, int64_t pages) const {
  const int64_t bucket = queue.bucket(rows, pages);
  return !hooks_ && bucket > 0 && bucket <= head_.chunk_rows({});
}

void Decoder::queue_step(StepQueue& queue, const ModelView& weights, const PackedModel& packed,
                         KvCache& cache, std::span<const StepRow> rows, int64_t vocab_limit) {
  int32_t last = 0;
  for (const StepRow& row : rows) last = std::max(last, row.position);
  transformer_.rope().reserve(1 + last);
  // All else that the operations are given lies where it always does (the queue notices if not).
  std::vector<uint64_t> identity{static_cast<uint64_t>(vocab_limit)};
  const auto add = [&](const void* p) { identity.push_back(reinterpret_cast<uintptr_t>(p)); };
  for (const Tensor& t : {weights.embed, weights.final_norm, weights.head}) add(t.data);
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    const LayerView& w = weights.layers[l];
    for (const Tensor& t : {w.input_norm, w.qkv, w.q_norm, w.k_norm, w.o, w.post_norm, w.gate_up,
                            w.down, w.lora_qkv.a, w.lora_o.a, w.lora_gate_up.a, w.lora_down.a})
      add(t.data);
    const KvPages pages = cache.layer(static_cast<int64_t>(l), nullptr, 0);
    add(pages.keys);
    add(pages.values);
  }
  queue.submit(rows, identity, [&](const StepArrays& step) {
    const Tensor hidden =
        layers(weights, packed, cache,
               {step.ids, step.positions, step.spans, step.block_table, step.max_pages}, nullptr);
    const Tensor logits = head_.logits(hidden, weights.head, packed.head.get());
    ops_.sample({logits, step.tokens, step.logprobs, nullptr, vocab_limit});
  });
}

std::vector<HeadAnswer> Decoder::answer(const ModelView& weights, const PackedModel& packed,
                                        std::span<const HeadQuery> queries, int64_t vocab_limit) {
  std::vector<HeadAnswer> answers(queries.size());
  // Those that only draw first, those that only score last: each operation gets one range of rows.
  std::vector<const HeadQuery*> order;
  std::vector<HeadAnswer*> to;
  for (const auto& [sample, score] : {std::pair(true, false), {true, true}, {false, true}})
    for (size_t i = 0; i < queries.size(); ++i)
      if (queries[i].sample == sample && queries[i].score == score) {
        order.push_back(&queries[i]);
        to.push_back(&answers[i]);
      }
  const auto chunk = static_cast<size_t>(head_.chunk_rows({}));
  std::vector<int32_t> rows;
  for (size_t begin = 0; begin < order.size(); begin += chunk) {
    const size_t count = std::min(chunk, order.size() - begin);
    rows.clear();
    for (size_t i = begin; i < begin + count; ++i) {
      rows.push_back(place_[static_cast<size_t>(order[i]->row)]);
      if (rows.back() < 0)
        throw std::logic_error("Decoder::answer: a row that was not to be asked");
    }
    const Tensor logits = head_.logits(hidden_, rows, weights.head, packed.head.get());
    answer_chunk(logits, std::span(order).subspan(begin, count), vocab_limit,
                 std::span(to).subspan(begin, count));
  }
  return answers;
}

void Decoder::answer_chunk(const Tensor& logits, std::span<const HeadQuery* const> queries,
                           int64_t vocab_limit, std::span<HeadAnswer* const> answers) {
  const size_t n = queries.size();
  size_t sampled = 0, scored_from = n;
  int32_t top = 0;
  std::vector<SamplingParams> params;
  for (size_t i = 0; i < n; ++i) {
    if (queries[i]->sample) {
      params.push_back(queries[i]->sampling);
      ++sampled;
    }
    if (queries[i]->score) scored_from = std::min(scored_from, i);
    top = std::max(top, queries[i]->top);
  }
  std::vector<int32_t> tokens(n);
  std::vector<float> drawn(n);
  const auto s = static_cast<int64_t>(sampled);
  if (s > 0)
    ops_.sample({logits.row_range(0, s), ints(tokens.data(), s), vector(drawn.data(), s),
                 params.data(), vocab_limit});
  for (size_t i = 0; i < n; ++i) {
    if (!queries[i]->sample) tokens[i] = queries[i]->target;
    answers[i]->token = tokens[i];
    if (queries[i]->sample) answers[i]->logprob = drawn[i];
  }
  if (std::any_of(tokens.begin(), tokens.begin() + s, [](int32_t token) { return token < 0; }))
    return;

  const auto from = static_cast<int64_t>(scored_from), count = static_cast<int64_t>(n) - from;
  if (count == 0) return;
  const Tensor scored = logits.row_range(from, count);
  const Tensor per_row = per_row_.reserve(device_, DType::f32, 3, count);
  const Tensor logprob = per_row.row_range(0, 1);
  ops_.logits_forward({scored, ints(tokens.data() + from, count), logprob, per_row.row_range(1, 1),
                       per_row.row_range(2, 1), 1.0f, config_.vocab_size});
  const std::vector<float> model_logprobs = to_host(device_, logprob);
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  if (top > 0) {
    ids.resize(static_cast<size_t>(count * top));
    logprobs.resize(ids.size());
    ops_.top_logprobs({scored, Tensor{ids.data(), DType::i32, count, top, top},
                       matrix(logprobs.data(), count, top), config_.vocab_size});
  }
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    HeadAnswer& answer = *answers[scored_from + i];
    answer.model_logprob = model_logprobs[i];
    const auto k = static_cast<size_t>(queries[scored_from + i]->top);
    const auto first = static_cast<std::ptrdiff_t>(i * static_cast<size_t>(top));
    answer.top_ids.assign(ids.begin() + first,
                          ids.begin() + first + static_cast<std::ptrdiff_t>(k));
    answer.top_logprobs.assign(logprobs.begin() + first,
                               logprobs.begin() + first + static_cast<std::ptrdiff_t>(k));
  }
}

}  // namespace kogrpo
