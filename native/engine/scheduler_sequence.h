#pragma once
// What a scheduler knows of one request (engine/scheduler.h).

#include <cstdint>
#include <vector>

#include "engine/scheduler.h"

namespace kogrpo {

// tokens[0, cached) have their keys and values in `pages`.
struct Scheduler::Sequence {
  int64_t id = 0, arrival = 0;
  GenerateRequest request;
  uint64_t prompt_hash = 0;
  std::vector<int32_t> tokens, pages;  // tokens: the prompt, then what was generated
  int64_t cached = 0, generated = 0;
  // Steps that nobody has waited for yet: the tokens they will tell, which stand behind `tokens`,
  // and the row in the last of them.
  int64_t asked = 0;
  int32_t row = -1;
  int64_t scored = 1;      // prompt tokens whose log-prob has been told (the first has none)
  int64_t remembered = 0;  // leading pages that the prefix cache knows, the last of them as
  int64_t prefix = KvCache::kNoPrefix;

  int64_t known() const { return static_cast<int64_t>(tokens.size()); }
  int64_t length() const { return known() + asked; }
  int64_t prompt_length() const { return static_cast<int64_t>(request.prompt.size()); }
  int64_t pending() const { return length() - cached; }
  // Whether all that it may generate is asked for, and not all of it known.
  bool awaiting() const { return asked > 0 && generated + asked >= request.max_new_tokens; }
  bool decoding() const { return generated > 0 && pending() == 1 && !awaiting(); }
  bool scores_prompt() const { return request.prompt_logprobs && scored < prompt_length(); }
  bool same_prompt(const Sequence& other) const {
    return prompt_hash == other.prompt_hash && request.prompt == other.request.prompt;
  }
  // Whether it could take another's prompt over instead of reading its own.
  bool joins() const { return generated == 0 && !scores_prompt() && request.max_new_tokens > 0; }
};

// Rows of a sequence in a step.
struct Scheduler::Planned {
  Sequence* sequence;
  int64_t count;
};

}  // namespace kogrpo
