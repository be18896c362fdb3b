// Who may run, as the pages of keys and values allow it: admission from the prefix cache and the
// free pages, prompts that are taken over, growth, and preemption (engine/scheduler.h). What the
// running ones do is scheduler.cpp's.

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "engine/scheduler_sequence.h"

namespace kogrpo {

int64_t Scheduler::pages_of(const GenerateRequest& r) {
  // The last token is only sampled, never read.
  return KvCache::pages_for(static_cast<int64_t>(r.prompt.size()) +
                            std::max<int64_t>(0, r.max_new_tokens - 1));
}

void Scheduler::insert(std::deque<Owned>& into, Owned s) {
  const auto later = [](const Owned& a, const Owned& b) { return a->arrival < b->arrival; };
  into.insert(std::upper_bound(into.begin(), into.end(), s, later), std::move(s));
}

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
  const int64_t written = std::min(s.cached, s.known());
  for (; (s.remembered + 1) * kPageTokens <= written; ++s.remembered) {
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

}  // namespace kogrpo
