// The scheduler under requests that come, go and are cancelled between any two steps, with few
// pages: each ends once or was cancelled, nothing is left over, and a completion among others is
// the one it is alone.
#include <map>
#include <stdexcept>

#include "targets.h"
#include "tiny_engine.h"

namespace kogrpo::fuzz {
namespace {

struct Told {
  GenerateRequest request;
  std::vector<int32_t> tokens;
  int ends = 0;
  bool cancelled = false;
};

GenerateRequest random_request(Reader& in) {
  GenerateRequest r;
  const uint8_t kind = in.take<uint8_t>();
  const uint32_t length = kind & 1 ? in.below(200) : in.below(12);
  const int32_t first = static_cast<int32_t>(in.below(kVocabulary + 1));
  for (uint32_t i = 0; i < length; ++i)  // often equal prompts: they share pages
    r.prompt.push_back(kind & 2 ? static_cast<int32_t>(in.below(kVocabulary))
                                : (first + static_cast<int32_t>(i)) % int32_t{kVocabulary});
  r.max_new_tokens = in.number(24);
  r.sampling.temperature = kind & 4 ? in.take<float>() : 1.0f;
  r.sampling.top_k = kind & 8 ? in.take<int32_t>() : 0;
  r.sampling.top_p = kind & 16 ? in.take<float>() : 1.0f;
  r.sampling.min_p = kind & 32 ? in.take<float>() : 0.0f;
  r.sampling.seed = in.take<uint8_t>();
  r.stop_tokens = {static_cast<int32_t>(in.below(2 * kVocabulary))};
  r.logprobs = kind & 64 ? static_cast<int32_t>(in.number(4)) : -1;
  r.prompt_logprobs = kind & 128;
  return r;
}

void collect(const std::vector<Event>& events, std::map<int64_t, Told>& all) {
  for (const Event& e : events) {
    Told& told = all.at(e.request);
    KOGRPO_REQUIRE(told.ends == 0 && !told.cancelled);
    if (e.kind == Event::Kind::finish) ++told.ends;
    if (e.kind != Event::Kind::token) continue;
    KOGRPO_REQUIRE(e.token >= 0 && e.token < kVocabulary);
    told.tokens.push_back(e.token);
  }
}

}  // namespace

void requests(Input input) {
  Engine& engine = tiny_engine();
  Reader in(input);
  constexpr int64_t kPageBytes = 16 * kPageTokens * 2 * 4;
  ServeOptions options;
  options.max_sequences = 1 + in.below(5);
  options.prefill_rows = 1 + in.below(70);
  options.max_cache_bytes = kPageBytes * (1 + in.below(5));
  const auto inbox = engine.serve_open(options);
  std::map<int64_t, Told> all;
  std::vector<Event> events;
  const auto step = [&] {
    events.clear();
    const bool live = engine.serve_step(0, events);
    collect(events, all);
    return live;
  };
  for (int64_t id = 0; !in.empty() && id < 24; ++id) {
    GenerateRequest r = random_request(in);
    try {
      inbox->submit(id, r);
      all[id].request = std::move(r);
    } catch (const std::invalid_argument&) {
    }
    for (uint32_t steps = in.below(4); steps > 0; --steps) step();
    if (in.below(3) == 0) {
      const auto victim = all.find(static_cast<int64_t>(in.below(24)));
      inbox->cancel(victim == all.end() ? 1000 : victim->first);
      if (victim != all.end()) victim->second.cancelled = victim->second.ends == 0;
    }
  }
  for (int left = 20'000; step();) KOGRPO_REQUIRE(--left > 0);
  const SchedulerStats stats = engine.serve_stats();
  KOGRPO_REQUIRE(stats.running == 0 && stats.waiting == 0 && stats.pages_used == 0);
  for (const auto& [id, told] : all) KOGRPO_REQUIRE(told.ends == (told.cancelled ? 0 : 1));
  engine.serve_close();
  for (const auto& [id, told] : all) {
    if (told.cancelled || told.request.max_new_tokens == 0) continue;
    const std::vector<GenerateRequest> alone{told.request};
    const auto results = engine.generate(
        alone, {}, [](int64_t) {}, AbortFlag());
    KOGRPO_REQUIRE(results[0].tokens == told.tokens);
    break;
  }
}

}  // namespace kogrpo::fuzz
