#pragma once
// Device memory of the emulation: one stretch of addresses that is closed (PROT_NONE) except while
// a kernel or a copy runs.

#include <cstddef>

namespace kogrpo::emulation {

// Opens device memory for its life; may be nested.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
};

bool is_device(const void* p);
// Bytes in use, and the most that there have been.
size_t memory_in_use();
// From now on the device has this much memory (at most 1 GiB, which it has at the start).
void limit_memory(size_t bytes);

}  // namespace kogrpo::emulation
