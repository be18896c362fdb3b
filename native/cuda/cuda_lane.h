#pragma once
// A lane (ops/lane.h) of a GPU: a stream of its own beside the operations', ordered by events.

#include <memory>

#include "cuda/runtime.h"
#include "ops/device.h"

namespace kogrpo::cuda {

// `index`: the device's; `stream`: of its operations.
std::unique_ptr<Lane> make_cuda_lane(Device& device, int index, cudaStream_t stream);

}  // namespace kogrpo::cuda
