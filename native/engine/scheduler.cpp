// Requests in and out, and the steps between: which rows are read, what is asked of them, and what
// the answers mean. Who may run is scheduler_memory.cpp's.

#include "engine/scheduler.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "engine/scheduler_sequence.h"

namespace kogrpo {

Scheduler::Scheduler(Device& device, const ModelConfig& config, Decoder& decoder)
    : config_(config),
      decoder_(decoder),
      cache_(device, config, decoder.cache_type()),
      queue_(device.step_queue()) {}
Scheduler::~Scheduler() = default;

void Scheduler::configure(const SchedulerOptions& options, int64_t pages, Storage* lent) {
  options_ = options;
  cache_.reserve(pages, lent);
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
  under_way_.clear();
  if (queue_) queue_->discard();
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
    if (!s->decoding() && !s->awaiting()) reading.push_back({s.get(), 0});
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

// How many of the last of the `count` rows that `s` has in this step ask_rows will ask.
int64_t Scheduler::asked_rows(const Sequence& s, int64_t count) {
  const int64_t end = s.cached + count;
  if (s.scores_prompt() && s.scored <= end) return std::min(count, end - s.scored + 1);
  return end == s.length() ? 1 : 0;  // of the next token, or of those who join here
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

// An answer to `s` becomes an event; whether it was its last. Throws std::runtime_error where none
// could be drawn.
bool Scheduler::tell(Sequence& s, const HeadQuery& query, HeadAnswer answer,
                     std::vector<Event>& events) {
  if (query.sample && answer.token < 0)
    throw std::runtime_error("request " + std::to_string(s.id) + ", token " +
                             std::to_string(s.generated) +
                             " of its completion: logits/temperature holds NaN or infinity");
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
  const bool queued = can_queue();
  if (!queued) land(events);
  const std::vector<Planned> planned = plan();
  if (planned.empty())
    land(events);
  else if (queued)
    queue_step(planned, weights, packed, events);
  else
    wait_step(planned, weights, packed, events);
}

void Scheduler::wait_step(const std::vector<Planned>& planned, const ModelView& weights,
                          const PackedModel& packed, std::vector<Event>& events) {
  StepRows rows;
  for (const auto& [s, count] : planned)
    rows.add(s->tokens, s->cached, count, s->pages, asked_rows(*s, count));
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
  end(finished, events);
}

void Scheduler::end(const std::vector<std::pair<int64_t, FinishReason>>& finished,
                    std::vector<Event>& events) {
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
