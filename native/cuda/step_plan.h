#pragma once
// How attention of a recorded step is cut into blocks. Its positions and pages are in the device's
// memory when the step runs, so a kernel of the step writes there what attention_schedule.h plans
// on the host: the same tiles, the same parts at the same places, hence the same bits. Made when an
// operation of the step first asks for it; it serves all layers.

#include <cstdint>
#include <map>

#include "cuda/attention_schedule.h"
#include "cuda/context.h"
#include "cuda/sampling_row.h"

namespace kogrpo::cuda {

class StepPlan {
 public:
  // [rows] positions; [rows][max_pages] pages, a row whose first page is −1 being padding.
  struct Inputs {
    const int32_t* positions = nullptr;
    const int32_t* table = nullptr;
    const SamplingRow* sampling = nullptr;
    int rows = 0, max_pages = 0;
  };

  explicit StepPlan(Context& context) : context_(context) {}
  // Forgets what was made for another step.
  void begin(const Inputs& inputs);
  const Inputs& inputs() const { return inputs_; }

  // [rows][per_row]: tile i of a row's packed heads. Padding has spans of no token.
  const AttentionTile* tiles(int per_row);
  // [most_parts][rows]: part p of a row's keys; those beyond its last key do nothing.
  struct Parts {
    const DecodePart *parts, *combined;  // combined: one a row
    int most;                            // parts of a row
  };
  Parts parts(int part_keys);

 private:
  struct Tiles {
    DeviceBuffer<AttentionTile> memory;
    bool made = false;
  };
  Context& context_;
  Inputs inputs_;
  std::map<int, Tiles> tiles_;
  DeviceBuffer<DecodePart> parts_, combined_;
  bool parts_made_ = false;
};

}  // namespace kogrpo::cuda
