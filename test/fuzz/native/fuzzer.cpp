// libFuzzer's entry points (llvm.org/docs/LibFuzzer.html); the environment says which target it is.
#include <cstdio>
#include <cstdlib>

#include "targets.h"

namespace {
const kogrpo::fuzz::Target* target = nullptr;
}

extern "C" __attribute__((visibility("default"))) int LLVMFuzzerInitialize(int*, char***) {
  const char* wanted = std::getenv("KOGRPO_FUZZ_TARGET");
  for (const auto& candidate : kogrpo::fuzz::kTargets)
    if (wanted && candidate.name == wanted) target = &candidate;
  if (target) return 0;
  std::fprintf(stderr, "KOGRPO_FUZZ_TARGET must be one of:");
  for (const auto& candidate : kogrpo::fuzz::kTargets)
    std::fprintf(stderr, " %.*s", static_cast<int>(candidate.name.size()), candidate.name.data());
  std::fprintf(stderr, "\n");
  std::exit(2);
}

extern "C" __attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t* data,
                                                                             size_t size) {
  target->run({data, size});
  return 0;
}
