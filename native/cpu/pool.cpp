#include "cpu/pool.h"

namespace kogrpo {
struct Pool::State {};
Pool::Pool(int) {}
Pool::~Pool() = default;
int Pool::threads() const {
  return 1;
}
void Pool::run(int64_t n, int64_t, const std::function<void(Range, int worker)>& body) {
  body({0, n}, 0);
}
}  // namespace kogrpo
