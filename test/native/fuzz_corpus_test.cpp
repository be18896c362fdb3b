// Every committed input of the fuzzers' corpora (test/fuzz/corpus: seeds, and inputs that once
// broke something) through its target, in this build and under this build's sanitizers.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "doctest/doctest.h"
#include "targets.h"

TEST_CASE("fuzz: the committed corpora break nothing") {
  for (const auto& target : kogrpo::fuzz::kTargets) {
    CAPTURE(target.name);
    const std::filesystem::path directory =
        std::filesystem::path(KOGRPO_FUZZ_CORPUS) / std::string(target.name);
    int inputs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
      target.run({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
      ++inputs;
    }
    CHECK(inputs >= 3);
  }
}
