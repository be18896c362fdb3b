#include "engine/scheduler.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

namespace kogrpo {

// tokens[0, cached) have their keys and values in `pages`.
struct Scheduler::Sequence {
  int64_t id = 0, arrival = 0;
  GenerateRequest request;
  uint64_t prompt_hash = 0;
  std::vector<int32_t> tokens, pages;  // tokens: the prompt, then what was generated
  int64_t cached = 0, generated = 0;
  int64_t scored = 1;      // prompt tokens whose log-prob has been told (the first has none)
  int64_t remembered = 0;  // leading pages that the prefix cache knows, the last of them as
  int64_t prefix = KvCache::kNoPrefix;

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
  int64_t prompt_length() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t pending() const { return length() - cached; }
  bool decoding() const { return generated > 0 && pending() == 1; }
  bool scores_prompt() const { return request.prompt_logprobs && scored < prompt_length(); }
  bool same_prompt(const Sequence& other) const {
    return prompt_hash == other.prompt_hash && request.prompt == other.request.prompt;
  }
  // Whether it could take another's prompt over instead of reading its own.
  bool joins() const { return generated == 0 && !scores_prompt() && request.max_new_tokens > 0; }
};

struct Scheduler::Planned {
  Sequence* sequence;
  int64_t count;
};

constexpr int64_t kMostPositions = INT32_MAX;  // a token's place in its sequence is an int32

void check_request(const GenerateRequest& r, const std::string& name, int64_t vocab_size) {
  const auto require = [&](bool valid, const std::string& complaint) {
    if (!valid) throw std::invalid_argument(name + complaint);
  };
  require(!r.prompt.empty(), ": the prompt is empty");
  require(r.max_new_tokens >= 1 || (r.max_new_tokens == 0 && r.prompt_logprobs),
          ".maxNewTokens must be at least 1");
  require(r.max_new_tokens <= kMostPositions - static_cast<int64_t>(r.prompt.size()),
          ".maxNewTokens must leave prompt and completion below 2^31 tokens");
  require(!r.prompt_logprobs || r.logprobs >= 0, ".promptLogprobs needs logprobs");
  require(r.logprobs >= -1 && r.logprobs <= vocab_size,
          ".logprobs must be at most the vocabulary's size");
  for (const int32_t token : r.prompt)
    require(token >= 0 && token < vocab_size, ": prompt token " + std::to_string(token) +
                                                  " is outside the vocabulary of " +
                                                  std::to_string(vocab_size));
  const SamplingParams& s = r.sampling;
  // Below it logits of common size would be infinite, and a step of all requests would fail.
  constexpr float kLeastTemperature = 1e-30f;
  require(
      s.temperature == 0 || (s.temperature >= kLeastTemperature && std::isfinite(s.temperature)),
      ".temperature must be 0 or a positive number with a finite inverse (at least 1e-30)");
  require(s.top_k >= 0, ".topK must be 0 (off) or positive");
  require(s.top_p > 0 && s.top_p <= 1, ".topP must be in (0, 1]");
  require(s.min_p >= 0 && s.min_p <= 1, ".minP must be in [0, 1]");
}

Scheduler::Scheduler(Device& device, const ModelConfig& config, Decoder& decoder)
    : config_(config), decoder_(decoder), cache_(device, config, decoder.type()) {}
Scheduler::~Scheduler() = default;

void Scheduler::configure(const SchedulerOptions& options, int64_t pages, Storage* lent) {
  options_ = options;
  cache_.reserve(pages, lent);
}

int64_t Scheduler::pages_of(const GenerateRequest& r) {
  // The last token is only sampled, never read.
  return KvCache::pages_for(static_cast<int64_t>(r.prompt.size()) +
                            std::max<int64_t>(0, r.max_new_tokens - 1));
}

void Scheduler::insert(std::deque<Owned>& into, Owned s) {
  const auto later = [](const Owned& a, const Owned& b) { return a->arrival < b->arrival; };
  into.insert(std::upper_bound(into.begin(), into.end(), s, later), std::move(s));
}

void Scheduler::submit(int64_t id, GenerateRequest request) {
  check_request(request, "request", config_.vocab_size);
  if (pages_of(request) > cache_.capacity())
    throw std::invalid_argument("request needs " + std::to_string(pages_of(request)) +
                                " pages of keys and values; there are " +
                                std::to_string(cache_.capacity()));
  auto s = std::make_unique<Sequence>();
  s->id = id;
  s->arrival = next_arrival_++;
  s->request = std::move(request);
  s->tokens = s->request.prompt;
  s->prompt_hash = 0xcbf29ce484222325;
  for (const int32_t token : s->tokens)
    s->prompt_hash = (s->prompt_hash ^ static_cast<uint32_t>(token)) * 0x100000001b3;
  waiting_.push_back(std::move(s));
}

bool Scheduler::cancel(int64_t id) {
  for (auto* sequences : {&running_, &waiting_}) {
    const auto found = std::find_if(sequences->begin(), sequences->end(),
                                    [id](const Owned& s) { return s->id == id; });
    if (found == sequences->end()) continue;
    release_pages(**found);
    sequences->erase(found);
    return true;
  }
  return false;
}

void Scheduler::cancel_all() {
  for (const Owned& s : running_) release_pages(*s);
  running_.clear();
  waiting_.clear();
}

void Scheduler::forget_prefixes() {
  if (!running_.empty()) throw std::logic_error("Scheduler: prefixes forgotten under a sequence");
  cache_.forget();
}

SchedulerStats Scheduler::stats() const {
  SchedulerStats s = counters_;
  s.running = static_cast<int64_t>(running_.size());
  s.waiting = static_cast<int64_t>(waiting_.size());
  s.pages = cache_.capacity();
  s.pages_used = cache_.capacity() - cache_.available();
  s.pages_kept = cache_.kept();
  return s;
}

// ---- pages

// From the last to the first, so that the prefix cache gives up a sequence's end before its start.
void Scheduler::release_pages(Sequence& s) {
  while (!s.pages.empty()) {
    cache_.release(s.pages.back());
    s.pages.pop_back();
  }
  s.cached = s.remembered = 0;
  s.prefix = KvCache::kNoPrefix;
}

void Scheduler::remember_pages(Sequence& s) {
  for (; (s.remembered + 1) * kPageTokens <= s.cached; ++s.remembered) {
    int32_t& page = s.pages[static_cast<size_t>(s.remembered)];
    const auto tokens = std::span(s.tokens).subspan(static_cast<size_t>(s.remembered * kPageTokens),
                                                    static_cast<size_t>(kPageTokens));
    const KvCache::Prefix known = cache_.remember(s.prefix, tokens, page);
    page = known.page;
    s.prefix = known.id;
  }
}

bool Scheduler::growing(const Sequence& s) const {
  return static_cast<int64_t>(s.pages.size()) < pages_of(s.request);
}

int64_t Scheduler::headroom() const {
  return std::count_if(running_.begin(), running_.end(),
                       [&](const Owned& s) { return growing(*s); });
}

// ---- admission and preemption

// Takes the pages that `s` needs to be read, as many as possible from the prefix cache; false if
// there are too few.
bool Scheduler::start(Sequence& s) {
  std::vector<KvCache::Prefix> known;
  int64_t prefix = KvCache::kNoPrefix;
  if (!s.scores_prompt()) {
    // The last token is always read: its row is what the next one is sampled from.
    const int64_t usable = (s.length() - 1) / kPageTokens;
    while (static_cast<int64_t>(known.size()) < usable) {
      const auto tokens = std::span(s.tokens).subspan(known.size() * size_t{kPageTokens},
                                                      static_cast<size_t>(kPageTokens));
      const auto found = cache_.find(prefix, tokens);
      if (!found) break;
      known.push_back(*found);
      prefix = found->id;
    }
  }
  const int64_t wanted = KvCache::pages_for(s.length()) - static_cast<int64_t>(known.size());
  const int64_t taken = std::count_if(
      known.begin(), known.end(), [&](const auto& entry) { return !cache_.in_use(entry.page); });
  if (cache_.available() - taken < wanted + headroom()) return false;
  for (const KvCache::Prefix& entry : known) {
    cache_.share(entry.page);
    s.pages.push_back(entry.page);
  }
  for (int64_t i = 0; i < wanted; ++i) s.pages.push_back(cache_.allocate());
  s.remembered = static_cast<int64_t>(known.size());
  s.prefix = prefix;
  s.cached = s.remembered * kPageTokens;
  counters_.prefix_rows += s.cached;
  return true;
}

void Scheduler::admit() {
  // Prompts that are being read; a request with an equal one waits to take it over.
  std::unordered_multimap<uint64_t, const Sequence*> reading;
  for (const Owned& s : running_)
    if (s->generated == 0) reading.emplace(s->prompt_hash, s.get());
  const auto waits = [&](const Sequence& s) {
    if (!s.joins()) return false;
    const auto [begin, end] = reading.equal_range(s.prompt_hash);
    return std::any_of(begin, end, [&](const auto& r) { return r.second->same_prompt(s); });
  };
  for (auto s = waiting_.begin(); s != waiting_.end();) {
    if (static_cast<int64_t>(running_.size()) >= options_.max_sequences) return;
    if (waits(**s)) {
      ++s;
      continue;
    }
    if (!start(**s)) return;
    if ((*s)->generated == 0) reading.emplace((*s)->prompt_hash, s->get());
    Owned owned = std::move(*s);
    s = waiting_.erase(s);
    insert(running_, std::move(owned));
  }
}

// Those that waited for the prompt that `leader` has just read go on from the same row.
void Scheduler::join(const Sequence& leader, int32_t row) {
  int64_t reserved = headroom();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Sequence& s = **it;
    if (!s.joins() || !s.same_prompt(leader)) {
      ++it;
      continue;
    }
    // One that ends with its first token never writes, and needs no copy of the last page.
    const bool writes = s.request.max_new_tokens > 1;
    const int64_t copies = writes && leader.cached % kPageTokens != 0 ? 1 : 0;
    const int64_t grows = pages_of(s.request) > static_cast<int64_t>(leader.pages.size()) ? 1 : 0;
    if (static_cast<int64_t>(running_.size()) >= options_.max_sequences ||
        cache_.available() < copies + grows + reserved)
      return;
    const auto full = static_cast<size_t>(leader.cached / kPageTokens);
    for (size_t p = 0; p < full; ++p) {
      cache_.share(leader.pages[p]);
      s.pages.push_back(leader.pages[p]);
    }
    if (copies > 0) s.pages.push_back(cache_.clone(leader.pages[full]));
    s.cached = leader.cached;
    s.remembered = leader.remembered;
    s.prefix = leader.prefix;
    reserved += grows;
    counters_.prefix_rows += s.cached;
    ask_token(s, row);
    Owned owned = std::move(*it);
    it = waiting_.erase(it);
    insert(running_, std::move(owned));
  }
}

void Scheduler::preempt_last() {
  Owned last = std::move(running_.back());
  running_.pop_back();
  release_pages(*last);
  ++counters_.preemptions;
  insert(waiting_, std::move(last));
}

// Makes sure that running_[index] has a page for its next row, at the cost of those after it.
bool Scheduler::grow(size_t index) {
  Sequence& s = *running_[index];
  while (static_cast<int64_t>(s.pages.size()) < KvCache::pages_for(s.cached + 1)) {
    if (cache_.available() > 0) {
      s.pages.push_back(cache_.allocate());
      continue;
    }
    const bool itself = running_.size() == index + 1;
    preempt_last();
    if (itself) return false;
  }
  return true;
}

// ---- a step

// One row of every sequence that is being continued, and prefill_rows rows of the others: half for
// the one that came first, so that it gets done; the rest to whoever has the least to read, so that
// a short prompt does not wait for a long one.
std::vector<Scheduler::Planned> Scheduler::plan() {
  std::vector<Planned> planned;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (!running_[i]->decoding() || !grow(i)) continue;
    planned.push_back({running_[i].get(), 1});
  }
  std::vector<Planned> reading;
  for (const Owned& s : running_)
    if (!s->decoding()) reading.push_back({s.get(), 0});
  int64_t left = options_.prefill_rows;
  const auto take = [&](Planned& p, int64_t most) {
    const int64_t count = std::min({most, left, p.sequence->pending() - p.count});
    p.count += count;
    left -= count;
  };
  if (!reading.empty()) {
    take(reading.front(), (options_.prefill_rows + 1) / 2);
    std::stable_sort(reading.begin(), reading.end(), [](const Planned& a, const Planned& b) {
      return a.sequence->pending() - a.count < b.sequence->pending() - b.count;
    });
    for (Planned& p : reading) take(p, left);
  }
  for (const Planned& p : reading) {
    if (p.count == 0) continue;
    planned.push_back(p);
    counters_.prompt_rows += p.count;
  }
  return planned;
}

void Scheduler::ask_token(Sequence& s, int32_t row) {
  HeadQuery query{
      row, true, s.request.logprobs >= 0, -1, std::max(0, s.request.logprobs), s.request.sampling};
  query.sampling.position = s.length();
  queries_.push_back(query);
  asking_.push_back(&s);
}

// What is asked of the rows that `s` has in this step, which start at `first_row`.
void Scheduler::ask_rows(Sequence& s, int64_t count, int32_t first_row) {
  if (s.scores_prompt()) {
    const int64_t end = std::min(s.cached + count, s.prompt_length() - 1);
    for (int64_t t = s.scored - 1; t < end; ++t) {
      queries_.push_back({first_row + static_cast<int32_t>(t - s.cached),
                          false,
                          true,
                          s.tokens[static_cast<size_t>(t + 1)],
                          s.request.logprobs,
                          {}});
      asking_.push_back(&s);
    }
    s.scored = std::max(s.scored, end + 1);
  }
  s.cached += count;
  remember_pages(s);
  if (s.pending() > 0) return;
  const int32_t last = first_row + static_cast<int32_t>(count) - 1;
  if (s.request.max_new_tokens > 0) ask_token(s, last);
  if (s.generated == 0) join(s, last);
}

// An answer to `s` becomes an event; whether it was its last.
bool Scheduler::tell(Sequence& s, const HeadQuery& query, HeadAnswer answer,
                     std::vector<Event>& events) {
  events.push_back({s.id, query.sample ? Event::Kind::token : Event::Kind::prompt, answer.token,
                    answer.logprob, answer.model_logprob, std::move(answer.top_ids),
                    std::move(answer.top_logprobs), FinishReason::length});
  if (!query.sample) return false;
  s.tokens.push_back(answer.token);
  ++s.generated;
  ++counters_.generated;
  const auto& stops = s.request.stop_tokens;
  if (std::find(stops.begin(), stops.end(), answer.token) != stops.end())
    events.back().reason = FinishReason::stop;
  else if (s.generated < s.request.max_new_tokens)
    return false;
  return true;
}

void Scheduler::step(const ModelView& weights, const PackedModel& packed,
                     std::vector<Event>& events) {
  try {
    run_step(weights, packed, events);
  } catch (...) {
    cancel_all();
    throw;
  }
}

void Scheduler::run_step(const ModelView& weights, const PackedModel& packed,
                         std::vector<Event>& events) {
  admit();
  const std::vector<Planned> planned = plan();
  if (planned.empty()) return;
  StepRows rows;
  for (const auto& [s, count] : planned) rows.add(s->tokens, s->cached, count, s->pages);
  decoder_.forward(weights, packed, cache_, rows);
  ++counters_.steps;

  queries_.clear();
  asking_.clear();
  for (size_t i = 0; i < planned.size(); ++i)
    ask_rows(*planned[i].sequence, planned[i].count, rows.cu_rows[i]);
  std::vector<HeadAnswer> answers =
      decoder_.answer(weights, packed, queries_, options_.vocab_limit);
  std::vector<std::pair<int64_t, FinishReason>> finished;
  for (size_t i = 0; i < answers.size(); ++i)
    if (tell(*asking_[i], queries_[i], std::move(answers[i]), events))
      finished.emplace_back(asking_[i]->id, events.back().reason);
  for (const auto& [s, count] : planned)
    if (s->request.max_new_tokens == 0 && s->pending() == 0)
      finished.emplace_back(s->id, FinishReason::length);
  for (const auto& [id, reason] : finished) {
    cancel(id);
    Event end;
    end.request = id;
    end.kind = Event::Kind::finish;
    end.reason = reason;
    events.push_back(std::move(end));
  }
}

}  // namespace kogrpo
