#pragma once
// A lane (ops/lane.h) of the host's memory: jobs on a thread.

#include <memory>

#include "ops/device.h"

namespace kogrpo {

// Without `beside` a job runs when it is posted.
std::unique_ptr<Lane> make_cpu_lane(Device& device, bool beside);

}  // namespace kogrpo
