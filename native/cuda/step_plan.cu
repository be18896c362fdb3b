#include "cuda/device.cuh"
#include "cuda/dispatch.h"
#include "cuda/step_plan.h"

namespace kogrpo::cuda {
namespace {

constexpr int kThreads = 128;

// A row of one token; padding has none, and stands before every key.
__device__ __forceinline__ Span span_of_row(const StepPlan::Inputs& in, int row) {
  const bool padding = in.table[int64_t(row) * in.max_pages] < 0;
  Span s;
  s.row = row;
  s.tokens = padding ? 0 : 1;
  s.position = padding ? -1 : in.positions[row];
  s.sequence = row;
  return s;
}

__global__ void __launch_bounds__(kThreads)
    step_tiles_kernel(StepPlan::Inputs in, int per_row, AttentionTile* tiles) {
  const int i = int(blockIdx.x) * kThreads + int(threadIdx.x);
  if (i >= in.rows * per_row) return;
  AttentionTile tile;
  tile.span = span_of_row(in, i / per_row);
  tile.index = i % per_row;
  tiles[i] = tile;
}

__global__ void __launch_bounds__(kThreads)
    step_parts_kernel(StepPlan::Inputs in, int part_keys, int most, DecodePart* parts,
                      DecodePart* combined) {
  const int i = int(blockIdx.x) * kThreads + int(threadIdx.x);
  if (i >= in.rows * most) return;
  const int row = i % in.rows, part = i / in.rows;
  DecodePart p;
  p.span = span_of_row(in, row);
  const int keys = p.span.position + 1;
  p.parts = keys > part_keys ? (keys + part_keys - 1) / part_keys : 1;
  p.part = part;
  p.slot = row * most + part;
  parts[i] = p;
  if (part == 0) combined[row] = p;
}

unsigned blocks(int n) {
  return unsigned(divide_up(n, kThreads));
}

}  // namespace

void StepPlan::begin(const Inputs& inputs) {
  inputs_ = inputs;
  for (auto& [per_row, tiles] : tiles_) tiles.made = false;
  parts_made_ = false;
}

const AttentionTile* StepPlan::tiles(int per_row) {
  Tiles& tiles = tiles_[per_row];
  const int n = inputs_.rows * per_row;
  AttentionTile* const memory = context_.reserve(tiles.memory, size_t(n));
  if (!tiles.made)
    launch(context_.stream(), "step: tiles", {dim3(blocks(n)), dim3(kThreads)}, step_tiles_kernel,
           inputs_, per_row, memory);
  tiles.made = true;
  return memory;
}

StepPlan::Parts StepPlan::parts(int part_keys) {
  const int most = int(divide_up(int64_t(inputs_.max_pages) * kPageTokens, part_keys));
  const int n = inputs_.rows * most;
  DecodePart* const parts = context_.reserve(parts_, size_t(n));
  DecodePart* const combined = context_.reserve(combined_, size_t(inputs_.rows));
  if (!parts_made_)
    launch(context_.stream(), "step: parts", {dim3(blocks(n)), dim3(kThreads)}, step_parts_kernel,
           inputs_, part_keys, most, parts, combined);
  parts_made_ = true;
  return {parts, combined, most};
}

}  // namespace kogrpo::cuda
