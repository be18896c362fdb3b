#pragma once
// Tiny engines on the CUDA backend, on a GPU or in the emulation, and how much of a test is run.
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "engine_testing.h"

namespace kogrpo::testing {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// Under AddressSanitizer the emulation takes ten times as long, and what it guards there are the
// accesses of kernels: the last combination of each test is enough, all of them run without it.
template <class T>
std::vector<T> combinations(std::initializer_list<T> all) {
  return {kSanitized ? all.end() - 1 : all.begin(), all.end()};
}

// The emulation's stand-ins for cuBLASLt and NCCL. Before any rank's thread begins, whose getenv()
// must not meet a setenv().
inline void name_stand_ins() {
#if defined(KOGRPO_EMULATION)
  setenv("KOGRPO_CUBLASLT_LIB", KOGRPO_FAKE_CUBLASLT, 1);
  setenv("KOGRPO_NCCL", KOGRPO_FAKE_NCCL, 1);
#endif
}

// A variable of the environment while this lives; null: as it is.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(value ? name : nullptr) {
    if (!name_) return;
    if (const char* old = std::getenv(name_)) old_ = old;
    setenv(name_, value, 1);
  }
  ~Environment() {
    if (!name_) return;
    if (old_)
      setenv(name_, old_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

inline std::unique_ptr<Engine> random_engine(const ModelConfig& model,
                                             const EngineOptions& options) {
  auto engine = std::make_unique<Engine>(model, options);
  engine->initialize({.seed = 5, .std = 0.12, .norm_scale = 0.1});
  return engine;
}

}  // namespace kogrpo::testing
