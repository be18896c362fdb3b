#pragma once
// Messages of the rendezvous store (store.h): a list of byte strings, u32 count, then for each u32
// length and bytes, little endian. The peer is whoever answers at an address: no number of it is
// believed before its bytes have come.

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace kogrpo {

using Message = std::vector<std::string>;

// The stream is none of a kogrpo store.
struct FrameError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr uint32_t kMostParts = 16;         // "hello" has 6
inline constexpr uint32_t kMostBytes = 1u << 26;   // of all parts of a message
inline constexpr uint32_t kReadAtOnce = 1u << 16;  // bytes made room for before they have come

inline std::string encode_message(const Message& message) {
  std::string bytes;
  const auto append = [&](size_t x) {
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(x >> (8 * i)));
  };
  append(message.size());
  for (const std::string& part : message) {
    append(part.size());
    bytes += part;
  }
  return bytes;
}

// One message by read(char* out, size_t n), which fills `out` or throws. Throws FrameError.
template <class Read>
Message read_message(Read&& read) {
  const auto number = [&](uint32_t most) {
    unsigned char b[4];
    read(reinterpret_cast<char*>(b), sizeof b);
    const uint32_t x = b[0] | b[1] << 8 | b[2] << 16 | static_cast<uint32_t>(b[3]) << 24;
    if (x > most) throw FrameError("an answer that is none of a kogrpo store");
    return x;
  };
  Message message(number(kMostParts));
  uint32_t left = kMostBytes;
  for (std::string& part : message) {
    const uint32_t length = number(left);
    left -= length;
    for (uint32_t done = 0; done < length;) {
      const uint32_t n = std::min(length - done, kReadAtOnce);
      part.resize(done + n);
      read(part.data() + done, n);
      done += n;
    }
  }
  return message;
}

}  // namespace kogrpo
