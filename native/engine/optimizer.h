#pragma once
// AdamW over the run of trained parameters (trainable.h): moments, and the step that a device's way
// of storing parameters needs. fp32 parameters have fp32 moments; bf16 ones (parameter_store.h)
// moments of a chosen size (ops.h, MixedAdamW).

#include <cstdint>
#include <span>
#include <vector>

#include "engine/parameter_store.h"
#include "engine/partition.h"
#include "engine/trainable.h"

namespace kogrpo {

struct OptimizerArguments {
  float learning_rate = 0, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, weight_decay = 0;
  float max_grad_norm = 0;  // 0: no clipping
};

class Optimizer {
 public:
  Optimizer(Device& device, DType type, MomentType moments);

  // A step on n elements (the same ones at each): begin(n) once, then update() for each run of
  // them. The moments of `held` lie from held.at on; `grad`, which is multiplied by `clip` first,
  // begins with the run's first element, and is of the device's type or fp32. The parameters lie in
  // `pieces` from held.at on, in the store where that is null.
  void begin(int64_t n);
  void update(ParameterStore& parameters, ParameterStore* pieces, const Trainable& trainable,
              const Tensor& grad, const Held& held, const OptimizerArguments& arguments,
              float clip);
  int64_t steps() const { return steps_; }
  // Forgets moments and step count.
  void reset();
  int64_t bytes() const;

  MomentType moments() const { return moments_; }
  // How moments are stored, as a state's file says it; 0 where there are none yet.
  int64_t form() const { return m_.empty() ? 0 : form_of_these(); }
  int64_t form_of_these() const { return 1 + static_cast<int64_t>(moments_); }
  // What a state's file holds of the moments of n elements, as vectors of 32-bit words.
  std::vector<Tensor> arrays(int64_t n) const;
  // Of each of these arrays: elements that share a word.
  std::vector<int64_t> elements_per_word() const;
  // For a state that is being read: makes the arrays of n elements; sets the step count.
  void make_arrays(int64_t n) { reserve(n); }
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  void reserve(int64_t n);
  // Elements `run` of a trained piece; their moments lie from `at` on, their gradient begins there.
  void update_piece(ParameterStore& parameters, ParameterStore* pieces, const Trainable& trainable,
                    const Tensor& grad, const Trainable::Piece& piece, Slice run, int64_t at,
                    const OptimizerArguments& arguments, float clip);

  Device& device_;
  MomentType moments_;
  Storage m_, v_, m_scale_, v_scale_;
  int64_t steps_ = 0;
};

}  // namespace kogrpo
