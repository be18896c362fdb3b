#include "cpu/cpuid.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace kogrpo {

std::vector<const KernelTable*> available_kernels() {
  std::vector<const KernelTable*> tables;
#if KOGRPO_X86_KERNELS
  // __builtin_cpu_supports also checks that the operating system saves the registers (XCR0).
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    if (__builtin_cpu_supports("avx512vnni")) {
      if (__builtin_cpu_supports("avx512bf16")) tables.push_back(&avx512bf16_kernels());
      tables.push_back(&avx512vnni_kernels());
    }
    tables.push_back(&avx512_kernels());
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    tables.push_back(&avx2_kernels());
#elif defined(__aarch64__)
  tables.push_back(&neon_kernels());
#endif
  tables.push_back(&scalar_kernels());

  if (const char* wanted = std::getenv("KOGRPO_CPU_ISA"); wanted && *wanted) {
    const auto found = std::find_if(tables.begin(), tables.end(), [&](const KernelTable* t) {
      return std::string(t->isa) == wanted;
    });
    if (found == tables.end()) {
      std::string names;
      for (const KernelTable* t : tables) names.append(names.empty() ? "" : ", ").append(t->isa);
      throw std::runtime_error("KOGRPO_CPU_ISA=" + std::string(wanted) +
                               " cannot run on this processor; it has " + names);
    }
    std::rotate(tables.begin(), found, found + 1);
  }
  return tables;
}

}  // namespace kogrpo
