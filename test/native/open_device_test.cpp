// Devices by their names in recipes.

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "ops/device.h"

namespace kogrpo {
namespace {

TEST_CASE("a device by its name; what names none is refused with the names that do") {
  CHECK(open_device("cpu", false, 1)->name().starts_with("cpu ("));
  for (const std::string name : {"", "CPU", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1234"})
    CHECK_THROWS_WITH_AS(
        open_device(name, false, 1),
        doctest::Contains(("device: '" + name + "' is not cpu, cuda or cuda:<index>").c_str()),
        std::invalid_argument);
}

}  // namespace
}  // namespace kogrpo
