// A state in the parts of two ranks. Layout of an input: the length of the first part as 16 bits,
// that part, the second. What is taken covers every byte of the state once, and is read from where
// the parts say; what is refused is IoError.
#include <filesystem>
#include <fstream>

#include "engine/errors.h"
#include "engine/state_file.h"
#include "targets.h"

namespace kogrpo::fuzz {
namespace {

// Removed with the process. Two files a case: TMPDIR in memory spares a disk.
struct Directory {
  std::string path = std::filesystem::temp_directory_path() / "kogrpo-parts-XXXXXX";
  Directory() { KOGRPO_REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
};

int64_t number(Input part, size_t at) {
  KOGRPO_REQUIRE(at + 8 <= part.size());
  int64_t value = 0;
  std::memcpy(&value, part.data() + at, sizeof value);
  return value;
}

// Puts the ranges of a part that was taken where they belong.
void assemble(Input part, std::vector<uint8_t>& whole, std::vector<uint8_t>& times) {
  KOGRPO_REQUIRE(number(part, 8) == static_cast<int64_t>(whole.size()));
  const auto ranges = static_cast<size_t>(number(part, 24));
  size_t place = 32 + 16 * ranges;
  for (size_t i = 0; i < ranges; ++i) {
    const auto at = static_cast<size_t>(number(part, 32 + 16 * i));
    const auto bytes = static_cast<size_t>(number(part, 40 + 16 * i));
    KOGRPO_REQUIRE(at + bytes <= whole.size() && place + bytes <= part.size());
    for (size_t b = 0; b < bytes; ++b) {
      whole[at + b] = part[place + b];
      ++times[at + b];
    }
    place += bytes;
  }
  KOGRPO_REQUIRE(place == part.size());
}

}  // namespace

void state_parts(Input input) {
  static const Directory directory;
  Reader in(input);
  const size_t first = std::min<size_t>(in.take<uint16_t>(), in.rest().size());
  const Input parts[] = {in.rest().first(first), in.rest().subspan(first)};
  const std::string path = directory.path + "/state";
  for (int rank : {0, 1})
    std::ofstream(part_path(path, rank, 2), std::ios::binary)
        .write(reinterpret_cast<const char*>(parts[rank].data()),
               static_cast<std::streamsize>(parts[rank].size()));
  try {
    const StateReader state(path);
    const auto size = static_cast<size_t>(state.size());
    KOGRPO_REQUIRE(size <= input.size());
    std::vector<uint8_t> whole(size), times(size);
    for (const Input part : parts) assemble(part, whole, times);
    KOGRPO_REQUIRE(std::all_of(times.begin(), times.end(), [](uint8_t n) { return n == 1; }));
    // All of it, and its second half: a read that begins within a range.
    for (const size_t word : {size_t{0}, size / 8}) {
      std::vector<float> read(size / 4 - word);
      state.read(static_cast<int64_t>(4 * word), read.data(), static_cast<int64_t>(read.size()));
      KOGRPO_REQUIRE(read.empty() ||
                     std::memcmp(read.data(), whole.data() + 4 * word, 4 * read.size()) == 0);
    }
  } catch (const IoError&) {
  }
}

}  // namespace kogrpo::fuzz
