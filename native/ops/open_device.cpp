// Devices by their names in recipes (ops/device.h).

#include <stdexcept>
#include <string>

#include "ops/device.h"

namespace kogrpo {

std::unique_ptr<Device> open_device(const std::string& name, bool deterministic, int threads) {
  if (name == "cpu") return make_cpu_device(threads);
  CudaOptions options{0, deterministic};
  bool valid = name == "cuda";
  if (name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 &&
      name.find_first_not_of("0123456789", 5) == std::string::npos) {
    options.device = std::stoi(name.substr(5));
    valid = true;
  }
  if (!valid)
    throw std::invalid_argument("device: '" + name + "' is not cpu, cuda or cuda:<index>");
  return make_cuda_device(options, threads);
}

}  // namespace kogrpo
