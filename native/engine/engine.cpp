// Construction, and passes over the model: forward, backward, logits. The parameters stand in
// engine_parameters.cpp, their files in engine_state.cpp, generation in engine_generate.cpp, the
// optimizer and the ranks in engine_optimizer.cpp.

#include "engine/engine.h"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "ops/transfer.h"
#include "ops/xxh64.h"

namespace kogrpo {
namespace {

const ModelConfig& checked(const ModelConfig& c) {
  check_config(c);
  return c;
}

int checked_threads(int requested) {
  if (requested < 0 || requested > kMostThreads)
    throw std::invalid_argument("threads must be from 0 (all processors) to " +
                                std::to_string(kMostThreads) + ", not " +
                                std::to_string(requested));
  return requested;
}

// What of a plan follows from the engine's own options.
MemoryOptions planned(const EngineOptions& o, DType type) {
  MemoryOptions use = o.use;
  use.lora = o.lora;
  use.bf16 = type == DType::bf16;
  use.master = use.bf16 ? MasterWeights::remainder : MasterWeights::none;
  use.moments = use.bf16 ? o.moments : MomentType::f32;
  use.recompute = o.recompute ? Recompute::block : Recompute::norm_swiglu;
  if (o.lm_head_chunk > 0) use.head_chunk_rows = o.lm_head_chunk;
  return use;
}

// The elements of a model that fits; nothing has been allocated yet.
int64_t checked_total(Device& device, const ModelConfig& config, const MemoryOptions& use,
                      const ParameterLayout& layout) {
  if (const DeviceMemory memory = device.memory(); memory.total > 0)
    require_memory(config, use, memory.free);
  return layout.total();
}

}  // namespace

Engine::Engine(const ModelConfig& config, const EngineOptions& options)
    : config_(checked(config)),
      options_(options),
      device_(open_device(options.device, options.deterministic, checked_threads(options.threads))),
      ops_(device_->ops()),
      type_(device_->storage(options.precision)),
      // 8-bit moments share scales that must not reach from one parameter into the next.
      layout_(config_, options.lora, type_ == DType::bf16 ? kMomentBlock : 1,
              options.precision == Precision::int8 && options.lora.rank > 0),
      trainable_(layout_),
      use_(planned(options, type_)),
      parameters_(*device_, type_, checked_total(*device_, config_, use_, layout_),
                  use_.training ? adapters_begin() : layout_.total()),
      policy_(config_, layout_, options.lora, locate(nullptr), type_, options.precision),
      optimizer_(*device_, type_, options.moments),
      pieces_(*device_, type_, 0, 0),
      frozen_pieces_(*device_, type_, 0, 0),
      transformer_(*device_, config_, type_, options.precision),
      // On a GPU the head's weight and its gradient are read and written once a chunk: with too few
      // rows that takes longer than the products (docs/cuda.md).
      head_(*device_, config_, device_->memory().total > 0 ? use_.head_chunk_rows : 0),
      decoder_(*device_, config_, transformer_, head_),
      generator_(*device_, config_, decoder_) {
  if (options.lora.rank > 0)
    base_.emplace(config_, layout_, LoraConfig{}, locate(nullptr), type_, options.precision);
  if (options.precision == Precision::int8 && options.lora.rank > 0)
    integers_ = std::make_unique<Int8Base>(ops_, layout_, policy_);
}

ModelView::Locate Engine::locate(const ParameterStore* trained) const {
  return [this, trained](const Parameter& p) {
    const std::optional<int64_t> at = trainable_.find(p);
    if (p.integers) return static_cast<void*>(nullptr);
    return trained && at ? trained->flat().element(*at) : parameters_.flat().element(p.offset);
  };
}

void Engine::set_trainable(std::span<const std::string> names, std::span<const TrainedPart> parts) {
  if (!slots_.empty() || !kept_.empty())
    throw std::invalid_argument(
        "setTrainable: parameter slots or kept passes are of what was trained before; begin anew");
  Trainable trained(layout_, names, parts);
  if (weights_in_pieces()) require_whole(parameters_);
  trainable_ = std::move(trained);
  gradients_.release();
  gradient_state_ = Gradients::scrap;
  reset_optimizer();
  if (ranks_) divide();
}

const PackedModel* Engine::packed_of(const std::string& slot) {
  // Adapters are not packed; what is, every slot of a model that has them shares.
  if (slot != "policy" && options_.lora.rank == 0) return nullptr;
  return options_.precision == Precision::int8 ? &packed() : packed_.get();
}

void Engine::require_gradients(const char* what) const {
  if (options_.precision == Precision::int8 && !integers_)
    throw std::invalid_argument(
        std::string(what) +
        ": int8 weights sample and score, they have no gradient; open the "
        "model in float32 or bfloat16 to train it, or train adapters (lora)");
}

std::string Engine::memory_table() const {
  return device_->memory().total > 0 ? plan_memory(config_, use_).table() : std::string();
}

const ModelView& Engine::view(const std::string& slot) const {
  if (slot == "policy") {
    require_whole(parameters_);
    return policy_;
  }
  if (slot == "base" && base_) {
    require_whole(parameters_);
    return *base_;
  }
  const auto found = slots_.find(slot);
  if (found == slots_.end())
    throw std::invalid_argument("slot: there is no parameter slot named '" + slot + "'");
  require_whole(found->second.parameters);
  return found->second.view;
}

const PackedModel& Engine::packed() {
  // Of integers the head alone is packed from parameters, and kept.
  if (!integers_ || !integers_->has_head()) require_whole(parameters_);
  if (integers_) return integers_->packed();
  if (!packed_) packed_ = std::make_unique<PackedModel>(ops_, policy_);
  return *packed_;
}

// ---- forward and backward

PackedBatch Engine::make_batch(const BatchArguments& b) const {
  PackedBatch batch = PackedBatch::make(b.tokens, b.cu_seqlens, b.prefixes, config_.vocab_size);
  if (!b.mask.empty() && b.mask.size() != b.tokens.size())
    throw std::invalid_argument("mask must have one element per token (" +
                                std::to_string(b.tokens.size()) + "), not " +
                                std::to_string(b.mask.size()));
  if (config_.bidirectional && !b.prefixes.empty())
    throw std::invalid_argument(
        "prefixes: sequences of a bidirectional model share nothing, what precedes depends on what "
        "follows");
  if (config_.num_labels > 0 && b.targets.empty())
    throw std::invalid_argument("targets are missing: this model has a head of " +
                                std::to_string(config_.num_labels) +
                                " labels, so there is no next token to predict");
  if (!b.targets.empty() && b.targets.size() != b.tokens.size())
    throw std::invalid_argument("targets must have one element per token (" +
                                std::to_string(b.tokens.size()) + "), not " +
                                std::to_string(b.targets.size()));
  for (size_t t = 0; t < b.targets.size(); ++t)
    if (b.targets[t] < 0 || b.targets[t] >= config_.head_size())
      throw std::invalid_argument(
          "targets[" + std::to_string(t) + "] = " + std::to_string(b.targets[t]) +
          " is outside the head's " + std::to_string(config_.head_size()) + " rows");
  return batch;
}

LoraDropout Engine::dropout_of(const PackedBatch& batch) const {
  const LoraConfig& lora = options_.lora;
  if (lora.rank == 0 || lora.dropout == 0) return {};
  const uint64_t key[] = {lora.seed, static_cast<uint64_t>(optimizer_.steps())};
  return {lora.dropout, xxh64(key, sizeof key), batch.identities()};
}

HeadOptions Engine::head_options(const BatchArguments& b) const {
  // Below it logits of common size would be infinite, and log-probs no numbers.
  constexpr float kLeastTemperature = 1e-30f;
  if (!(b.temperature >= kLeastTemperature) || !std::isfinite(b.temperature))
    throw std::invalid_argument("temperature must be positive (at least 1e-30), not " +
                                std::to_string(b.temperature));
  if (b.vocab_limit < 0 || b.vocab_limit > config_.head_size())
    throw std::invalid_argument("vocabLimit must be at most the vocabulary's size, " +
                                std::to_string(config_.head_size()));
  return {1.0f / b.temperature, b.vocab_limit == 0 ? config_.head_size() : b.vocab_limit,
          options_.lm_head_chunk};
}

void Engine::check_coefficients(const PackedBatch& batch, const HeadRows& rows,
                                std::span<const float> coef, const char* name) const {
  if (coef.size() != batch.whole_size())
    throw std::invalid_argument(std::string(name) + " must have one element per token (" +
                                std::to_string(batch.whole_size()) + "), not " +
                                std::to_string(coef.size()));
  size_t next = 0;
  for (size_t t = 0; t < coef.size(); ++t) {
    const bool predicted = next < rows.tokens.size() && static_cast<size_t>(rows.tokens[next]) == t;
    if (predicted) ++next;
    if (!std::isfinite(coef[t]))
      throw std::invalid_argument(std::string(name) + "[" + std::to_string(t) + "] is not finite");
    if (!predicted && coef[t] != 0.0f)
      throw std::invalid_argument(std::string(name) + "[" + std::to_string(t) +
                                  "] must be 0: the token is masked or the first of its sequence");
  }
}

TokenValues Engine::forward(const BatchArguments& arguments, const std::string& slot, bool keep,
                            int64_t* handle, const AbortFlag& abort) {
  const bool streams = weights_in_pieces() && ranks_->in_turn();
  const ModelView& weights = streams ? *streamed_ : view(slot);
  if (keep) require_gradients("forward with keep");
  if (keep && slot != "policy")
    throw std::invalid_argument("keep: only the slot 'policy' has gradients");
  if (streams && slot != "policy")
    throw std::invalid_argument("slot: within a turn only 'policy' has its weights in the rooms");
  return pass(arguments, weights, packed_of(slot), streams ? weight_hooks() : BlockHooks{},
              keep ? handle : nullptr, abort);
}

TokenValues Engine::pass(const BatchArguments& arguments, const ModelView& weights,
                         const PackedModel* packed, const BlockHooks& hooks, int64_t* handle,
                         const AbortFlag& abort) {
  std::unique_ptr<Kept> kept = spare_ ? std::move(spare_) : std::make_unique<Kept>();
  kept->batch = make_batch(arguments);
  kept->rows = HeadRows::select(kept->batch, arguments.mask, arguments.targets);
  kept->options = head_options(arguments);
  // Nothing is kept of a forward without a backward: one layer's activations are enough.
  kept->activations.recompute = options_.recompute || !handle;
  kept->activations.dropout = handle ? dropout_of(kept->batch) : LoraDropout{};
  TokenValues values(kept->batch.whole_size());
  with_plan([&] {
    transformer_.forward(weights, packed, kept->batch, kept->activations, hooks, abort);
    head_.forward(kept->activations.hidden, weights.head, packed ? packed->head.get() : nullptr,
                  kept->rows, kept->options, values, abort);
  });
  if (handle) {
    kept->weights = weights_made_;
    *handle = next_handle_++;
    kept_[*handle] = std::move(kept);
  } else {
    spare_ = std::move(kept);
  }
  return values;
}

void Engine::backward_from_rows(Kept& kept, std::span<const float> coef,
                                std::span<const float> coef_entropy, TokenValues& values,
                                const AbortFlag& abort) {
  const int64_t t = kept.batch.size(), h = config_.hidden_size;
  const BlockHooks hooks = gradient_hooks();
  const ModelView g = gradient_view();
  gradient_state_ = Gradients::sum;
  begin_backward(hooks);
  const ModelView& weights = weights_in_pieces() ? *streamed_ : policy_;
  const Tensor dhidden = dhidden_.reserve(*device_, type_, t, h);
  const PackedModel* packed = integers_ ? &integers_->packed() : nullptr;
  head_.forward_backward(kept.activations.hidden, weights.head,
                         packed ? packed->head.get() : nullptr, kept.rows, kept.options, coef,
                         coef_entropy, values, dhidden, g.head, abort);
  transformer_.backward(weights, packed, g, kept.batch, kept.activations, dhidden, hooks, abort);
}

void Engine::backward(int64_t handle, std::span<const float> coef,
                      std::span<const float> coef_entropy, const AbortFlag& abort) {
  const auto found = kept_.find(handle);
  if (found == kept_.end())
    throw std::invalid_argument("handle " + std::to_string(handle) +
                                " is unknown: already used by backward or released");
  const Kept& checked = *found->second;
  if (checked.weights != weights_made_)
    throw std::invalid_argument("handle " + std::to_string(handle) +
                                " is of weights that have changed since its forward pass (by an "
                                "optimizer step, or by loading or writing parameters): release it "
                                "and make the pass again");
  check_coefficients(checked.batch, checked.rows, coef, "coef");
  if (!coef_entropy.empty())
    check_coefficients(checked.batch, checked.rows, coef_entropy, "entropyCoef");
  require_turn();
  // Whatever ends the pass half way has left a part of the gradient: it cannot be made again.
  std::unique_ptr<Kept> kept = std::move(found->second);
  kept_.erase(found);
  TokenValues values(coef.size());
  with_plan([&] { backward_from_rows(*kept, coef, coef_entropy, values, abort); });
  spare_ = std::move(kept);
}

void Engine::release(int64_t handle) {
  const auto found = kept_.find(handle);
  if (found == kept_.end()) return;
  spare_ = std::move(found->second);
  kept_.erase(found);
}

TokenValues Engine::forward_backward(const BatchArguments& arguments, std::span<const float> coef,
                                     std::span<const float> coef_entropy, const AbortFlag& abort) {
  require_gradients("forwardBackward");
  require_turn();
  std::unique_ptr<Kept> kept = spare_ ? std::move(spare_) : std::make_unique<Kept>();
  kept->batch = make_batch(arguments);
  kept->rows = HeadRows::select(kept->batch, arguments.mask, arguments.targets);
  kept->options = head_options(arguments);
  kept->activations.recompute = options_.recompute;
  kept->activations.dropout = dropout_of(kept->batch);
  check_coefficients(kept->batch, kept->rows, coef, "coef");
  if (!coef_entropy.empty())
    check_coefficients(kept->batch, kept->rows, coef_entropy, "entropyCoef");
  TokenValues values(coef.size());
  with_plan([&] {
    const bool streams = weights_in_pieces();
    transformer_.forward(streams ? *streamed_ : policy_, packed_of("policy"), kept->batch,
                         kept->activations, streams ? weight_hooks() : BlockHooks{}, abort);
    backward_from_rows(*kept, coef, coef_entropy, values, abort);
  });
  spare_ = std::move(kept);
  return values;
}

void Engine::set_logit_scale(std::vector<float> scale) {
  require_idle("setLogitScale");
  if (!scale.empty() && static_cast<int64_t>(scale.size()) != config_.head_size())
    throw std::invalid_argument("scale must have one element per vocabulary id (" +
                                std::to_string(config_.head_size()) + "), not " +
                                std::to_string(scale.size()));
  for (size_t i = 0; i < scale.size(); ++i)
    if (!(scale[i] > 0.0f) || !std::isfinite(scale[i]))
      throw std::invalid_argument("scale[" + std::to_string(i) + "] = " + std::to_string(scale[i]) +
                                  ", must be positive and finite");
  if (!kept_.empty())
    throw std::invalid_argument(
        "scale cannot change between forward and backward: use or release every handle first");
  head_.set_logit_scale(scale);
}

std::vector<float> Engine::logits(std::span<const int32_t> tokens,
                                  std::span<const int32_t> positions) {
  const std::vector<int32_t> cu{0, static_cast<int32_t>(tokens.size())};
  const PackedBatch batch = PackedBatch::make(tokens, cu, {}, config_.vocab_size);
  for (const int32_t p : positions)
    if (p < 0 || p >= static_cast<int32_t>(tokens.size()))
      throw std::invalid_argument("positions: " + std::to_string(p) + " is outside the sequence");
  Activations state;
  state.recompute = true;
  const PackedModel* packed = packed_of("policy");
  transformer_.forward(view("policy"), packed, batch, state, {}, AbortFlag());
  const Tensor z =
      head_.logits(state.hidden, positions, policy_.head, packed ? packed->head.get() : nullptr);
  return to_host(*device_, z);
}

}  // namespace kogrpo
