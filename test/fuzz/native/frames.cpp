// The stream that a rank reads from the rendezvous store. Messages that are taken encode to the
// bytes they were read from, and nothing is allocated for what has not come.
#include "comm/frames.h"

#include "targets.h"

namespace kogrpo::fuzz {

void frames(Input input) {
  size_t at = 0;
  struct End {};
  const auto read = [&](char* out, size_t n) {
    if (n > input.size() - at) throw End();
    std::memcpy(out, input.data() + at, n);
    at += n;
  };
  try {
    for (;;) {
      const size_t begin = at;
      const Message message = read_message(read);
      const std::string bytes = encode_message(message);
      KOGRPO_REQUIRE(bytes.size() == at - begin);
      KOGRPO_REQUIRE(std::memcmp(bytes.data(), input.data() + begin, bytes.size()) == 0);
    }
  } catch (const End&) {
  } catch (const FrameError&) {
  }
}

}  // namespace kogrpo::fuzz
