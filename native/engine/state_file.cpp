#include "engine/state_file.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <string_view>

#include "engine/errors.h"
#include "engine/tensor_file.h"

namespace kogrpo {
namespace {

struct PartHeader {
  char magic[8] = {'k', 'o', 'g', 'r', 'p', 'o', 'p', '1'};
  int64_t whole = 0, step = 0, ranges = 0;
};
constexpr auto kHeader = static_cast<int64_t>(sizeof(PartHeader)),
               kRange = static_cast<int64_t>(sizeof(StateRange));

// Bytes as they lie in the file.
template <class T>
void read_raw(const std::string& path, int64_t at, T* out, int64_t n) {
  read_tensor(path, at, DType::f32, reinterpret_cast<float*>(out),
              n * static_cast<int64_t>(sizeof(T) / sizeof(float)));
}

// "k-of-n" behind the path, as part_path writes it: k from 1; else 0.
struct Place {
  int part = 0, parts = 0;
};
Place place_of(const std::string& name, const std::string& begins) {
  if (!name.starts_with(begins)) return {};
  Place p;
  const char* const end = name.data() + name.size();
  const char* const of = std::from_chars(name.data() + begins.size(), end, p.part).ptr;
  if (!std::string_view(of, end).starts_with("-of-")) return {};
  std::from_chars(of + 4, end, p.parts);
  const bool written = name == begins + std::to_string(p.part) + "-of-" + std::to_string(p.parts);
  return written && p.part > 0 && p.part <= p.parts ? p : Place{};
}

// The files of the state at `path`, those of one number of parts.
std::vector<std::string> files_of(const std::string& path) {
  const std::filesystem::path whole(path);
  if (std::filesystem::exists(whole)) return {path};
  std::error_code none;
  std::map<int, int> found;  // parts of each number of parts
  const auto parent = whole.has_parent_path() ? whole.parent_path() : std::filesystem::path(".");
  for (std::filesystem::directory_iterator at(parent, none), end; !none && at != end;
       at.increment(none)) {
    const Place p = place_of(at->path().filename().string(), whole.filename().string() + ".");
    if (p.part > 0) ++found[p.parts];
  }
  if (found.empty()) return {path};  // whoever reads it says that it is not there
  if (found.size() > 1)
    throw IoError("'" + path + "' has parts of several states, of " +
                  std::to_string(found.begin()->first) + " and of " +
                  std::to_string(found.rbegin()->first) + " ranks: remove those of one");
  const int parts = found.begin()->first;
  // Up to the first that is missing, which its reader names: a name may say any number of parts.
  std::vector<std::string> files;
  for (int rank = 0; rank < parts; ++rank) {
    files.push_back(part_path(path, rank, parts));
    if (!std::filesystem::exists(files.back())) break;
  }
  return files;
}

}  // namespace

std::string part_path(const std::string& path, int rank, int ranks) {
  return path + "." + std::to_string(rank + 1) + "-of-" + std::to_string(ranks);
}

std::vector<uint8_t> part_header(int64_t whole, int64_t step, std::span<const StateRange> ranges) {
  PartHeader header;
  header.whole = whole;
  header.step = step;
  header.ranges = static_cast<int64_t>(ranges.size());
  std::vector<uint8_t> bytes(sizeof header + ranges.size_bytes());
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!ranges.empty())
    std::memcpy(bytes.data() + sizeof header, ranges.data(), ranges.size_bytes());
  return bytes;
}

StateReader::StateReader(const std::string& path) : files_(files_of(path)) {
  if (files_.size() == 1 && files_[0] == path) {
    size_ = file_size(path);
    ranges_.push_back({{0, size_}, 0, 0});
    return;
  }
  for (size_t i = 0; i < files_.size(); ++i) open_part(i);
  require_cover(path);
}

void StateReader::open_part(size_t file) {
  const std::string& path = files_[file];
  const auto damaged = [&](const std::string& why) {
    throw IoError("'" + path + "' is damaged: " + why);
  };
  const int64_t size = file_size(path);
  PartHeader header;
  if (size < kHeader) damaged("it is no part of a saved state");
  read_raw(path, 0, &header, 1);
  if (std::memcmp(header.magic, PartHeader().magic, sizeof header.magic) != 0)
    damaged("it is no part of a saved state");
  if (header.whole < 0 || header.ranges < 0 || header.ranges > (size - kHeader) / kRange)
    damaged("its header has numbers that no part has");
  if (file > 0 && header.whole != size_)
    damaged("it is of a state of " + std::to_string(header.whole) + " bytes, and '" + files_[0] +
            "' of one of " + std::to_string(size_));
  if (file > 0 && header.step != step_)
    damaged("it is of step " + std::to_string(header.step) + ", and '" + files_[0] + "' of step " +
            std::to_string(step_));
  size_ = header.whole;
  step_ = header.step;
  std::vector<StateRange> ranges(static_cast<size_t>(header.ranges));
  if (!ranges.empty()) read_raw(path, kHeader, ranges.data(), header.ranges);
  int64_t place = kHeader + header.ranges * kRange;
  for (const StateRange& r : ranges) {
    if (r.at < 0 || r.bytes <= 0 || (r.at | r.bytes) % 4 != 0 || r.at > size_ ||
        r.bytes > size_ - r.at || r.bytes > size - place)
      damaged("its header has a range that no part has");
    ranges_.push_back({r, file, place});
    place += r.bytes;
  }
  if (place != size)
    damaged("it has " + std::to_string(size) + " bytes, and its header describes " +
            std::to_string(place));
}

void StateReader::require_cover(const std::string& path) {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Found& a, const Found& b) { return a.range.at < b.range.at; });
  int64_t covered = 0;
  for (const Found& f : ranges_) {
    if (f.range.at != covered)
      throw IoError("'" + files_[f.file] + "' is not of the same state as the other parts of '" +
                    path + "': byte " + std::to_string(std::min(covered, f.range.at)) +
                    (f.range.at > covered ? " is in none" : " is in two"));
    covered += f.range.bytes;
  }
  if (covered != size_)
    throw IoError("the parts of '" + path + "' end at byte " + std::to_string(covered) +
                  " of a state of " + std::to_string(size_));
}

void StateReader::read(int64_t at, float* out, int64_t n) const {
  const int64_t end = at + n * 4;
  if (at < 0 || n < 0 || end > size_)
    throw IoError("'" + files_[0] + "' has no bytes up to " + std::to_string(end));
  auto found = std::upper_bound(ranges_.begin(), ranges_.end(), at,
                                [](int64_t x, const Found& f) { return x < f.range.at; });
  if (found != ranges_.begin()) --found;
  for (; at < end; ++found) {
    const int64_t into = at - found->range.at;
    const int64_t bytes = std::min(end - at, found->range.bytes - into);
    read_tensor(files_[found->file], found->place + into, DType::f32, out, bytes / 4);
    out += bytes / 4;
    at += bytes;
  }
}

}  // namespace kogrpo
