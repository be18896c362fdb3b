// Shapes of models: refused, or a layout whose parameters tile [0, total).
#include <stdexcept>

#include "engine/parameters.h"
#include "targets.h"

namespace kogrpo::fuzz {

void config(Input input) {
  Reader in(input);
  ModelConfig c;
  for (int64_t* size : {&c.vocab_size, &c.hidden_size, &c.intermediate_size, &c.num_layers,
                        &c.num_heads, &c.num_kv_heads, &c.head_dim})
    *size = in.number(80);
  c.tie_word_embeddings = in.below(2);
  try {
    check_config(c);
    const ParameterLayout layout(c);
    int64_t next = 0;
    for (const Parameter& p : layout.all()) {
      KOGRPO_REQUIRE(p.rows > 0 && p.cols > 0 && p.offset == next);
      next += p.size();
    }
    KOGRPO_REQUIRE(next == layout.total());
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace kogrpo::fuzz
