// Optimizer states. What load_state takes is what save_state would have written, to the byte; what
// it refuses leaves no doubt: IoError.
#include "targets.h"
#include "tiny_engine.h"

namespace kogrpo::fuzz {

void state(Input input) {
  static Engine engine(tiny_config(), {.threads = 1});
  const MemoryFile file(input), again;
  try {
    engine.load_state(file.path());
  } catch (const IoError&) {
    return;
  }
  engine.save_state(again.path());
  const std::vector<uint8_t> written = again.content();
  KOGRPO_REQUIRE(written.size() == input.size());
  KOGRPO_REQUIRE(std::memcmp(written.data(), input.data(), input.size()) == 0);
}

}  // namespace kogrpo::fuzz
