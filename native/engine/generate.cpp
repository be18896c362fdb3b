#include "engine/generate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>

namespace kogrpo {

// A request that has been admitted. tokens[0, cached) have their keys and values in `pages`.
struct Generator::Sequence {
  size_t request = 0;
  int64_t prompt_id = 0;
  std::vector<int32_t> tokens, pages;
  int64_t prompt_length = 0, cached = 0;

  bool prefilling() const { return cached < prompt_length; }
};

// The rows of one step and what is sampled from them.
struct Generator::Step {
  std::vector<int32_t> tokens, positions, cu_rows{0}, first_position, block_table;
  int64_t max_pages = 0;
  // One entry per token to sample: hidden row, its parameters, the outcome.
  std::vector<int32_t> sample_rows, sampled;
  std::vector<SamplingParams> params;
  std::vector<float> logprobs;
};

namespace {

void check(const GenerateRequest& r, size_t index, int64_t vocab_size) {
  const std::string name = "requests[" + std::to_string(index) + "]";
  if (r.prompt.empty()) throw std::invalid_argument(name + ": the prompt is empty");
  if (r.max_new_tokens < 1) throw std::invalid_argument(name + ".maxNewTokens must be at least 1");
  for (const int32_t token : r.prompt)
    if (token < 0 || token >= vocab_size)
      throw std::invalid_argument(name + ": prompt token " + std::to_string(token) +
                                  " is outside the vocabulary of " + std::to_string(vocab_size));
}

// Pages of a set of sequences go back to the cache however run() ends.
class PageGuard {
 public:
  PageGuard(KvCache& cache, std::vector<std::vector<int32_t>*>& owners)
      : cache_(cache), owners_(owners) {}
  ~PageGuard() {
    for (auto* pages : owners_)
      for (const int32_t page : *pages) cache_.release(page);
  }
  PageGuard(const PageGuard&) = delete;
  PageGuard& operator=(const PageGuard&) = delete;

 private:
  KvCache& cache_;
  std::vector<std::vector<int32_t>*>& owners_;
};

}  // namespace

void Generator::forward(const ModelView& weights, const PackedModel& packed, Step& step) {
  const auto r = static_cast<int64_t>(step.tokens.size());
  const auto n = static_cast<size_t>(r);
  const int64_t h = config_.hidden_size, i = config_.intermediate_size;
  const int64_t q = config_.q_size(), kv = config_.kv_size();
  const auto buffer = [&](Buffer<float>& b, int64_t cols) {
    return matrix(b.reserve(n * static_cast<size_t>(cols)), r, cols);
  };
  const Tensor x = buffer(x_, h), normed = buffer(normed_, h), qkv = buffer(qkv_, q + 2 * kv);
  const Tensor qk = buffer(qk_, q + kv), attention = buffer(attention_, q);
  const Tensor gate_up = buffer(gate_up_, 2 * i), act = buffer(act_, i);
  const Tensor rstd = vector(rstd_.reserve(n), r);
  const Tensor positions = ints(step.positions.data(), r);
  RopeTable& rope = transformer_.rope();
  rope.reserve(1 + *std::max_element(step.positions.begin(), step.positions.end()));
  const RowSpans spans{step.cu_rows.data(), step.first_position.data(),
                       static_cast<int64_t>(step.first_position.size())};

  ops_.embedding_forward({ints(step.tokens.data(), r), weights.embed, x});
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    const LayerView& w = weights.layers[l];
    const PackedModel::Layer& p = packed.layers[l];
    const KvPages pages =
        cache_.layer(static_cast<int64_t>(l), step.block_table.data(), step.max_pages);
    ops_.rmsnorm_forward({x, w.input_norm, normed, rstd, config_.rms_norm_eps});
    ops_.linear({normed, w.qkv, qkv, p.qkv.get(), false});
    ops_.qk_norm_rope_forward({qkv, w.q_norm, w.k_norm, positions, rope.cos(), rope.sin(), qk,
                               config_.num_heads, config_.num_kv_heads, config_.head_dim,
                               config_.rms_norm_eps});
    ops_.kv_append({qk.columns(q, kv), qkv.columns(q + kv, kv), pages, spans});
    ops_.attention_cached({qk.columns(0, q), attention, pages, spans, config_.num_heads,
                           1.0f / std::sqrt(static_cast<float>(config_.head_dim))});
    ops_.linear({attention, w.o, x, p.o.get(), true});
    ops_.rmsnorm_forward({x, w.post_norm, normed, rstd, config_.rms_norm_eps});
    ops_.linear({normed, w.gate_up, gate_up, p.gate_up.get(), false});
    ops_.swiglu_forward({gate_up, act});
    ops_.linear({act, w.down, x, p.down.get(), true});
  }
  ops_.rmsnorm_forward({x, weights.final_norm, normed, rstd, config_.rms_norm_eps});
}

std::vector<GenerateResult> Generator::run(const ModelView& weights, const PackedModel& packed,
                                           std::span<const GenerateRequest> requests,
                                           const GenerateOptions& options,
                                           const std::function<void(int64_t)>& on_progress,
                                           const AbortFlag& abort) {
  std::vector<GenerateResult> results(requests.size());
  std::vector<Sequence> sequences(requests.size());
  std::map<std::vector<int32_t>, int64_t> prompt_ids;
  std::vector<int64_t> needs;
  for (size_t i = 0; i < requests.size(); ++i) {
    check(requests[i], i, config_.vocab_size);
    Sequence& s = sequences[i];
    s.request = i;
    s.tokens = requests[i].prompt;
    s.prompt_length = static_cast<int64_t>(s.tokens.size());
    s.prompt_id =
        prompt_ids.emplace(s.tokens, static_cast<int64_t>(prompt_ids.size())).first->second;
    needs.push_back(KvCache::pages_for(s.prompt_length + requests[i].max_new_tokens));
  }

  // The memory plan: as many pages as the largest max_sequences requests could fill, within the
  // limit.
  std::vector<int64_t> sorted = needs;
  std::sort(sorted.rbegin(), sorted.rend());
  int64_t pages = 0;
  for (size_t i = 0; i < sorted.size() && static_cast<int64_t>(i) < options.max_sequences; ++i)
    pages += sorted[i];
  if (options.max_cache_bytes > 0) {
    const int64_t page_bytes =
        cache_.page_floats() * 2 * config_.num_layers * static_cast<int64_t>(sizeof(float));
    const int64_t limit = options.max_cache_bytes / page_bytes;
    if (!sorted.empty() && sorted.front() > limit)
      throw std::invalid_argument(
          "maxCacheBytes = " + std::to_string(options.max_cache_bytes) + " holds " +
          std::to_string(limit) + " pages; the longest request needs " +
          std::to_string(sorted.front()) + " (" + std::to_string(sorted.front() * page_bytes) +
          " bytes): raise it or lower maxNewTokens");
    pages = std::min(pages, limit);
  }
  cache_.reserve(pages);

  std::vector<std::vector<int32_t>*> owners;
  for (Sequence& s : sequences) owners.push_back(&s.pages);
  const PageGuard guard(cache_, owners);

  std::vector<size_t> waiting(requests.size()), running;
  for (size_t i = 0; i < waiting.size(); ++i) waiting[i] = i;
  int64_t committed = 0;  // pages that running sequences may still grow to
  int64_t generated = 0;

  const auto fits = [&](size_t i) {
    return static_cast<int64_t>(running.size()) < options.max_sequences &&
           committed + needs[i] <= cache_.capacity();
  };
  const auto start = [&](size_t i) {
    committed += needs[i];
    running.push_back(i);
  };

  while (!waiting.empty() || !running.empty()) {
    abort.check();

    // Admit. A request whose prompt is being read by another waits for it, to share its pages.
    std::erase_if(waiting, [&](size_t i) {
      const bool shared = std::any_of(running.begin(), running.end(), [&](size_t r) {
        return sequences[r].prompt_id == sequences[i].prompt_id && sequences[r].prefilling();
      });
      if (shared || !fits(i)) return false;
      start(i);
      return true;
    });

    // Rows of this step.
    Step step;
    std::vector<std::pair<size_t, int64_t>> rows_of;  // running sequence, rows in this step
    int64_t prefill_left = options.prefill_rows;
    for (const size_t i : running) {
      Sequence& s = sequences[i];
      int64_t count = static_cast<int64_t>(s.tokens.size()) - s.cached;
      if (s.prefilling()) {
        count = std::min(count, prefill_left);
        prefill_left -= count;
      }
      if (count == 0) continue;
      rows_of.emplace_back(i, count);
      while (static_cast<int64_t>(s.pages.size()) < KvCache::pages_for(s.cached + count))
        s.pages.push_back(cache_.allocate());
      step.max_pages = std::max(step.max_pages, static_cast<int64_t>(s.pages.size()));
      for (int64_t t = s.cached; t < s.cached + count; ++t) {
        step.tokens.push_back(s.tokens[static_cast<size_t>(t)]);
        step.positions.push_back(static_cast<int32_t>(t));
      }
      step.cu_rows.push_back(static_cast<int32_t>(step.tokens.size()));
      step.first_position.push_back(static_cast<int32_t>(s.cached));
    }
    step.block_table.assign(rows_of.size() * static_cast<size_t>(step.max_pages), -1);
    for (size_t k = 0; k < rows_of.size(); ++k)
      std::copy(sequences[rows_of[k].first].pages.begin(), sequences[rows_of[k].first].pages.end(),
                step.block_table.begin() + static_cast<int64_t>(k) * step.max_pages);

    forward(weights, packed, step);

    // Which sequences sample now; those that waited for a prompt join it here.
    std::vector<size_t> sampling;
    const auto sample_from = [&](size_t i, int32_t row) {
      SamplingParams params = requests[i].sampling;
      params.position = static_cast<int64_t>(sequences[i].tokens.size());
      step.sample_rows.push_back(row);
      step.params.push_back(params);
      sampling.push_back(i);
    };
    for (size_t k = 0; k < rows_of.size(); ++k) {
      const auto [i, count] = rows_of[k];
      Sequence& s = sequences[i];
      const bool was_prefilling = s.prefilling();
      s.cached += count;
      if (s.cached < static_cast<int64_t>(s.tokens.size())) continue;
      const int32_t row = step.cu_rows[k + 1] - 1;
      sample_from(i, row);
      if (!was_prefilling) continue;
      std::erase_if(waiting, [&](size_t j) {
        Sequence& other = sequences[j];
        if (other.prompt_id != s.prompt_id || !fits(j)) return false;
        for (size_t p = 0; p < s.pages.size(); ++p) {
          const bool full = static_cast<int64_t>(p + 1) * kPageTokens <= s.cached;
          if (full) cache_.share(s.pages[p]);
          other.pages.push_back(full ? s.pages[p] : cache_.clone(s.pages[p]));
        }
        other.cached = s.cached;
        start(j);
        sample_from(j, row);
        return true;
      });
    }

    // Sample in chunks of the head, then extend or finish.
    const int64_t chunk = head_.chunk_rows({});
    step.sampled.resize(sampling.size());
    step.logprobs.resize(sampling.size());
    const Tensor hidden =
        matrix(normed_.data(), static_cast<int64_t>(step.tokens.size()), config_.hidden_size);
    for (size_t begin = 0; begin < sampling.size(); begin += static_cast<size_t>(chunk)) {
      const size_t count = std::min(static_cast<size_t>(chunk), sampling.size() - begin);
      const Tensor logits = head_.logits(hidden, std::span(step.sample_rows).subspan(begin, count),
                                         weights.head, packed.head.get());
      ops_.sample({logits, ints(step.sampled.data() + begin, static_cast<int64_t>(count)),
                   vector(step.logprobs.data() + begin, static_cast<int64_t>(count)),
                   step.params.data() + begin, options.vocab_limit});
    }
    for (size_t k = 0; k < sampling.size(); ++k) {
      const size_t i = sampling[k];
      const GenerateRequest& request = requests[i];
      GenerateResult& result = results[i];
      const int32_t token = step.sampled[k];
      sequences[i].tokens.push_back(token);
      result.tokens.push_back(token);
      result.logprobs.push_back(step.logprobs[k]);
      ++generated;
      const bool stop = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) !=
                        request.stop_tokens.end();
      if (!stop && static_cast<int64_t>(result.tokens.size()) < request.max_new_tokens) continue;
      result.reason = stop ? FinishReason::stop : FinishReason::length;
      for (const int32_t page : sequences[i].pages) cache_.release(page);
      sequences[i].pages.clear();
      committed -= needs[i];
      std::erase(running, i);
    }
    on_progress(generated);
  }
  return results;
}

}  // namespace kogrpo
