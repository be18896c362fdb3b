#pragma once
// The native readers of foreign bytes, each as a function of one input. A target throws nothing:
// what the code under test may throw it catches, and a broken promise ends the process (REQUIRE
// below), as a sanitizer does. The same functions are run by libFuzzer (fuzzer.cpp) and, over the
// committed corpora, by the unit tests (test/native/fuzz_corpus_test.cpp).

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kogrpo::fuzz {

using Input = std::span<const uint8_t>;

// Ranges of weight files: read_tensor, rewrite_tensors.
void tensor_file(Input input);
// An optimizer state: Engine::load_state; what it takes it writes again to the byte.
void state(Input input);
// A state that two ranks wrote in parts: StateReader.
void state_parts(Input input);
// Messages of the rendezvous store, as a rank reads them.
void frames(Input input);
// Packed batches and coefficients that JavaScript gives.
void batch(Input input);
// Requests that come, go and are cancelled: the scheduler behind the server.
void requests(Input input);
// Shapes of models: the parameter layout.
void config(Input input);

struct Target {
  std::string_view name;
  void (*run)(Input);
};
inline constexpr Target kTargets[] = {{"tensor_file", tensor_file},
                                      {"state", state},
                                      {"state_parts", state_parts},
                                      {"frames", frames},
                                      {"batch", batch},
                                      {"requests", requests},
                                      {"config", config}};

inline void require(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
  std::abort();
}
#define KOGRPO_REQUIRE(condition) \
  ::kogrpo::fuzz::require(static_cast<bool>(condition), #condition, __FILE__, __LINE__)

// Takes values off the front of an input; zeros when it is used up.
class Reader {
 public:
  explicit Reader(Input input) : rest_(input) {}
  bool empty() const { return rest_.empty(); }

  template <class T>
  T take() {
    T value{};
    const size_t n = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), n);
    rest_ = rest_.subspan(n);
    return value;
  }
  // One of [0, n).
  uint32_t below(uint32_t n) { return take<uint8_t>() % n; }
  // Mostly a small number, else any.
  int64_t number(int64_t small) {
    const uint8_t kind = take<uint8_t>();
    return kind < 224 ? static_cast<int64_t>(kind) % (small + 1) : take<int64_t>();
  }
  template <class T>
  std::vector<T> many(size_t n) {
    std::vector<T> values(n);
    for (T& value : values) value = take<T>();
    return values;
  }
  Input rest() const { return rest_; }

 private:
  Input rest_;
};

// A file in memory that has a path.
class MemoryFile {
 public:
  explicit MemoryFile(Input content = {}) : fd_(memfd_create("kogrpo-fuzz", MFD_CLOEXEC)) {
    KOGRPO_REQUIRE(fd_ >= 0);
    KOGRPO_REQUIRE(content.empty() || ::write(fd_, content.data(), content.size()) ==
                                          static_cast<ssize_t>(content.size()));
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  std::vector<uint8_t> content() const {
    struct stat info {};
    KOGRPO_REQUIRE(::fstat(fd_, &info) == 0);
    std::vector<uint8_t> bytes(static_cast<size_t>(info.st_size));
    KOGRPO_REQUIRE(bytes.empty() || ::pread(fd_, bytes.data(), bytes.size(), 0) ==
                                        static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

 private:
  int fd_;
};

}  // namespace kogrpo::fuzz
