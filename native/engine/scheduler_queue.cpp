// Steps that nobody waits for (ops/step_queue.h). While one computes, the next is queued: what it
// needs besides the tokens is known, since each running sequence has one more row. The host learns
// of a token one step late. A sequence that has stopped meanwhile is computed once too often, and
// that token is nobody's: its pages may be another's by then, but whoever writes there comes later
// in the device's order. What needs the tokens themselves (prompts to be read beside them, pages to
// be taken from another, log-probs) first waits for what is under way.

#include <algorithm>

#include "engine/scheduler_sequence.h"

namespace kogrpo {

// Whether every running sequence just goes on, or awaits its last token.
bool Scheduler::can_queue() const {
  if (!queue_) return false;
  int64_t rows = 0, pages = 1, growing = 0;
  for (const Owned& s : running_) {
    if (s->awaiting()) continue;
    if (!s->decoding() || s->request.logprobs >= 0) return false;
    const int64_t needed = KvCache::pages_for(s->cached + 1);
    growing += std::max<int64_t>(0, needed - static_cast<int64_t>(s->pages.size()));
    pages = std::max(pages, needed);
    ++rows;
  }
  return growing <= cache_.available() && (rows == 0 || decoder_.queues(*queue_, rows, pages));
}

void Scheduler::queue_step(const std::vector<Planned>& planned, const ModelView& weights,
                           const PackedModel& packed, std::vector<Event>& events) {
  std::vector<StepRow> rows;
  std::vector<int64_t> arrivals;
  for (const auto& [s, count] : planned) {
    StepRow row;
    if (s->asked > 0)
      row.source = s->row;
    else
      row.token = s->tokens.back();
    row.position = static_cast<int32_t>(s->cached);
    row.pages = s->pages;
    row.sampling = s->request.sampling;
    row.sampling.position = s->length();
    rows.push_back(row);
    arrivals.push_back(s->arrival);
  }
  decoder_.queue_step(*queue_, weights, packed, cache_, rows, options_.vocab_limit);
  ++counters_.steps;
  for (size_t i = 0; i < planned.size(); ++i) {
    Sequence& s = *planned[i].sequence;
    s.row = static_cast<int32_t>(i);
    ++s.asked;
    ++s.cached;
    remember_pages(s);
  }
  under_way_.push_back(std::move(arrivals));
  if (under_way_.size() == StepQueue::kMostUnderWay) take_step(events);
  if (running_.empty()) land(events);
}

// The oldest step under way becomes events. A row whose sequence is gone is passed over.
void Scheduler::take_step(std::vector<Event>& events) {
  const std::vector<StepToken> tokens = queue_->take();
  const std::vector<int64_t> arrivals = std::move(under_way_.front());
  under_way_.pop_front();
  HeadQuery query;
  query.sample = true;
  std::vector<std::pair<int64_t, FinishReason>> finished;
  for (size_t i = 0; i < arrivals.size(); ++i) {
    const auto found =
        std::lower_bound(running_.begin(), running_.end(), arrivals[i],
                         [](const Owned& s, int64_t arrival) { return s->arrival < arrival; });
    if (found == running_.end() || (*found)->arrival != arrivals[i]) continue;
    Sequence& s = **found;
    --s.asked;
    HeadAnswer answer;
    answer.token = tokens[i].token;
    answer.logprob = tokens[i].logprob;
    if (tell(s, query, std::move(answer), events))
      finished.emplace_back(s.id, events.back().reason);
  }
  end(finished, events);
}

// Waits for all that is under way.
void Scheduler::land(std::vector<Event>& events) {
  while (!under_way_.empty()) take_step(events);
}

}  // namespace kogrpo
