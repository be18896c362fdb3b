#pragma once
// A saved state on the disk. It is one sequence of bytes (engine_state.cpp) that does not depend on
// ranks or sharding. At PATH it lies as that file, or in the parts PATH.1-of-N … PATH.N-of-N, which
// N ranks wrote side by side, each what it holds:
//   magic "kogrpop1"   int64 bytes of the whole   int64 optimizer step   int64 ranges
//   per range int64 at, int64 bytes: where it belongs in the whole
//   the ranges' bytes, one behind the other
// Parts that are read together cover every byte once.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kogrpo {

// Bytes [at, at + bytes) of a state; multiples of 4.
struct StateRange {
  int64_t at = 0, bytes = 0;
};

// The file of one part, and what it begins with.
std::string part_path(const std::string& path, int rank, int ranks);
std::vector<uint8_t> part_header(int64_t whole, int64_t step, std::span<const StateRange> ranges);

// Reads a state wherever its parts lie.
class StateReader {
 public:
  // Throws IoError naming the file for parts that are damaged, missing or of several states.
  explicit StateReader(const std::string& path);
  int64_t size() const { return size_; }
  // n words of 4 bytes from byte `at` on. Throws IoError.
  void read(int64_t at, float* out, int64_t n) const;

 private:
  struct Found {
    StateRange range;
    size_t file = 0;
    int64_t place = 0;  // in the file
  };
  void open_part(size_t file);
  void require_cover(const std::string& path);

  std::vector<std::string> files_;
  std::vector<Found> ranges_;  // in the order of the state
  int64_t size_ = 0, step_ = 0;
};

}  // namespace kogrpo
