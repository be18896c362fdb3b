// Where the build found no Gloo.
#include "comm/communicator.h"

namespace kogrpo {

bool has_gloo() {
  return false;
}

std::unique_ptr<Communicator> make_gloo(int, int, std::shared_ptr<Store>, double) {
  throw CommError(
      "this build has no Gloo, which ranks on CPUs talk over: sudo apt-get install -y libgloo-dev "
      "(Debian, Ubuntu), then npm rebuild kogrpo");
}

}  // namespace kogrpo
