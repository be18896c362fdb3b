#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "cpu/cpuid.h"
#include "engine/tensor_file.h"

namespace kogrpo {
namespace {

const ModelConfig& checked(const ModelConfig& c) {
  if (c.vocab_size < 1 || c.hidden_size < 1 || c.intermediate_size < 1 || c.num_layers < 1 ||
      c.num_heads < 1 || c.num_kv_heads < 1 || c.head_dim < 16 || c.head_dim % 16 != 0 ||
      c.num_heads % c.num_kv_heads != 0)
    throw std::invalid_argument(
        "config: sizes must be positive, head_dim a multiple of 16, num_attention_heads a multiple "
        "of num_key_value_heads");
  return c;
}

int thread_count(int requested) {
  return requested > 0 ? requested : default_threads();
}

float* zeroed(Buffer<float>& buffer, int64_t n) {
  const bool fresh = buffer.empty();
  float* p = buffer.reserve(static_cast<size_t>(n));
  if (fresh) std::memset(p, 0, static_cast<size_t>(n) * sizeof(float));
  return p;
}

}  // namespace

Engine::Engine(const ModelConfig& config, const EngineOptions& options)
    : config_(checked(config)),
      options_(options),
      ops_(*available_kernels().front(), thread_count(options.threads)),
      layout_(config_),
      parameters_(static_cast<size_t>(layout_.total())),
      policy_(config_, layout_, parameters_.data(), options.precision),
      transformer_(ops_, config_),
      head_(ops_, config_),
      decoder_(ops_, config_, transformer_, head_),
      generator_(ops_, config_, decoder_) {}

// ---- parameters

void Engine::initialize(const InitOptions& options) {
  require_idle("initialize");
  for (const Parameter& p : layout_.all()) {
    float* out = parameters_.data() + p.offset;
    constexpr int64_t kBlock = 4096;
    ops_.pool().run(p.size(), kBlock, [&](Range range, int) {
      kogrpo::initialize(p, options, out, range.begin, range.end);
    });
  }
  parameters_changed();
}

void Engine::load_parameter(const std::string& name, const std::string& path, int64_t offset,
                            DType dtype) {
  require_idle("loadParameters");
  const Parameter& p = layout_.find(name);
  read_tensor(path, offset, dtype, parameters_.data() + p.offset, p.size());
  parameters_changed();
}

void Engine::save_parameters(const std::string& path, std::span<const uint8_t> header,
                             const std::vector<std::string>& names, DType dtype) {
  TensorFileWriter file(path, header);
  for (const std::string& name : names) {
    const Parameter& p = layout_.find(name);
    file.append(parameters_.data() + p.offset, p.size(), dtype);
  }
  file.finish();
}

std::vector<float> Engine::read_parameter(const std::string& name) const {
  const Parameter& p = layout_.find(name);
  return {parameters_.data() + p.offset, parameters_.data() + p.offset + p.size()};
}

void Engine::write_parameter(const std::string& name, std::span<const float> values) {
  require_idle("writeParameter");
  const Parameter& p = layout_.find(name);
  if (static_cast<int64_t>(values.size()) != p.size())
    throw std::invalid_argument("values: '" + name + "' has " + std::to_string(p.size()) +
                                " elements, not " + std::to_string(values.size()));
  std::copy(values.begin(), values.end(), parameters_.data() + p.offset);
  parameters_changed();
}

std::vector<float> Engine::read_gradient(const std::string& name) const {
  const Parameter& p = layout_.find(name);
  if (gradients_.empty()) return std::vector<float>(static_cast<size_t>(p.size()), 0.0f);
  return {gradients_.data() + p.offset, gradients_.data() + p.offset + p.size()};
}

namespace {

struct StateHeader {
  char magic[8] = {'k', 'o', 'g', 'r', 'p', 'o', 's', '2'};
  int64_t total = 0, step = 0, has_moments = 0, slots = 0;
};

// Before the parameters of each slot; a multiple of a float long.
struct SlotName {
  alignas(float) char text[64] = {};
};
constexpr int64_t kSlotNameFloats = sizeof(SlotName) / sizeof(float);

}  // namespace

void Engine::save_state(const std::string& path) {
  const bool gathers = ranks_ && ranks_->sharded();
  const bool writes = !ranks_ || ranks_->communicator().rank() == 0;
  const int64_t n = layout_.total();
  StateHeader header;
  header.total = n;
  header.step = step_;
  header.has_moments = gathers ? step_ > 0 : !m_.empty();
  header.slots = static_cast<int64_t>(slots_.size());
  std::optional<TensorFileWriter> file;
  if (writes) {
    file.emplace(path, std::span(reinterpret_cast<const uint8_t*>(&header), sizeof header));
    file->append(parameters_.data(), n, DType::f32);
  }
  if (header.has_moments) {
    for (const Buffer<float>* moment : {&m_, &v_}) {
      if (gathers)
        ranks_->stream(moment->data(), "moments for a saved state", [&](const float* x, int64_t k) {
          if (writes) file->append(x, k, DType::f32);
        });
      else if (writes)
        file->append(moment->data(), n, DType::f32);
    }
  }
  if (!writes) return;
  for (const auto& [slot, held] : slots_) {
    SlotName name;
    slot.copy(name.text, sizeof name.text);
    file->append(reinterpret_cast<const float*>(name.text), kSlotNameFloats, DType::f32);
    file->append(held.parameters.data(), layout_.total(), DType::f32);
  }
  file->finish();
}

void Engine::load_state(const std::string& path) {
  require_idle("loadState");
  StateHeader expected, header;
  constexpr int64_t kWords = sizeof header / sizeof(float);
  read_tensor(path, 0, DType::f32, reinterpret_cast<float*>(&header), kWords);
  if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0)
    throw IoError("'" + path + "' is not a kogrpo optimizer state");
  if (header.total != layout_.total())
    throw IoError("'" + path + "' holds " + std::to_string(header.total) +
                  " parameters; this model has " + std::to_string(layout_.total()));
  const int64_t n = layout_.total(), bytes = n * static_cast<int64_t>(sizeof(float));
  const auto begin = static_cast<int64_t>(sizeof header);
  read_tensor(path, begin, DType::f32, parameters_.data(), n);
  reset_optimizer();
  if (header.has_moments) {
    const Slice mine = moments();
    const auto read = [&](Buffer<float>& moment, int64_t at) {
      read_tensor(path, at + mine.begin * static_cast<int64_t>(sizeof(float)), DType::f32,
                  moment.reserve(static_cast<size_t>(mine.size())), mine.size());
    };
    read(m_, begin + bytes);
    read(v_, begin + 2 * bytes);
  }
  slots_.clear();
  int64_t at = begin + bytes * (header.has_moments ? 3 : 1);
  for (int64_t i = 0; i < header.slots; ++i) {
    SlotName name;
    read_tensor(path, at, DType::f32, reinterpret_cast<float*>(name.text), kSlotNameFloats);
    at += static_cast<int64_t>(sizeof name);
    const std::string slot(name.text, strnlen(name.text, sizeof name.text));
    read_tensor(path, at, DType::f32, slot_parameters(slot), n);
    at += bytes;
  }
  step_ = header.step;
  if (ranks_) ranks_->clear();
  zero_gradients();
  parameters_changed();
}

void Engine::update_slot(const std::string& slot, float alpha) {
  if (slot == "policy" || slot.empty())
    throw std::invalid_argument("slot: a name other than 'policy' is needed");
  if (!(alpha >= 0.0f && alpha <= 1.0f))
    throw std::invalid_argument("alpha must be in [0, 1], not " + std::to_string(alpha));
  if (slot.size() > sizeof(SlotName))
    throw std::invalid_argument("slot: a name of at most " + std::to_string(sizeof(SlotName)) +
                                " bytes is needed");
  const bool fresh = !slots_.contains(slot);
  ops_.lerp(slot_parameters(slot), parameters_.data(), layout_.total(), fresh ? 1.0f : alpha);
}

float* Engine::slot_parameters(const std::string& slot) {
  Slot& target = slots_[slot];
  float* p = target.parameters.reserve(static_cast<size_t>(layout_.total()));
  if (!target.view)
    target.view = std::make_unique<ModelView>(config_, layout_, p, options_.precision);
  return p;
}

const ModelView& Engine::view(const std::string& slot) const {
  if (slot == "policy") return policy_;
  const auto found = slots_.find(slot);
  if (found == slots_.end())
    throw std::invalid_argument("slot: there is no parameter slot named '" + slot + "'");
  return *found->second.view;
}

const PackedModel& Engine::packed() {
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
  return batch;
}

HeadOptions Engine::head_options(const BatchArguments& b) const {
  if (!(b.temperature > 0.0f) || !std::isfinite(b.temperature))
    throw std::invalid_argument("temperature must be positive, not " +
                                std::to_string(b.temperature));
  if (b.vocab_limit < 0 || b.vocab_limit > config_.vocab_size)
    throw std::invalid_argument("vocabLimit must be at most the vocabulary's size, " +
                                std::to_string(config_.vocab_size));
  return {1.0f / b.temperature, b.vocab_limit == 0 ? config_.vocab_size : b.vocab_limit,
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
  const ModelView& weights = view(slot);
  if (keep && &weights != &policy_)
    throw std::invalid_argument("keep: only the slot 'policy' has gradients");
  std::unique_ptr<Kept> kept = spare_ ? std::move(spare_) : std::make_unique<Kept>();
  kept->batch = make_batch(arguments);
  kept->rows = HeadRows::select(kept->batch, arguments.mask);
  kept->options = head_options(arguments);
  // Nothing is kept of a forward without a backward: one layer's activations are enough.
  kept->activations.recompute = options_.recompute || !keep;
  const int64_t t = kept->batch.size();
  TokenValues values(kept->batch.whole_size());
  const PackedModel* packed = &weights == &policy_ ? packed_.get() : nullptr;
  transformer_.forward(weights, packed, kept->batch, kept->activations, abort);
  head_.forward(matrix(kept->activations.hidden.data(), t, config_.hidden_size), weights.head,
                packed ? packed->head.get() : nullptr, kept->rows, kept->options, values, abort);
  if (keep) {
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
  const ModelView& g = gradients();
  const Tensor dhidden = matrix(dhidden_.reserve(static_cast<size_t>(t * h)), t, h);
  head_.forward_backward(matrix(kept.activations.hidden.data(), t, h), policy_.head, kept.rows,
                         kept.options, coef, coef_entropy, values, dhidden, g.head, abort);
  transformer_.backward(policy_, g, kept.batch, kept.activations, dhidden, abort);
}

void Engine::backward(int64_t handle, std::span<const float> coef,
                      std::span<const float> coef_entropy, const AbortFlag& abort) {
  const auto found = kept_.find(handle);
  if (found == kept_.end())
    throw std::invalid_argument("handle " + std::to_string(handle) +
                                " is unknown: already used by backward or released");
  Kept& kept = *found->second;
  check_coefficients(kept.batch, kept.rows, coef, "coef");
  if (!coef_entropy.empty()) check_coefficients(kept.batch, kept.rows, coef_entropy, "entropyCoef");
  TokenValues values(coef.size());
  backward_from_rows(kept, coef, coef_entropy, values, abort);
  release(handle);
}

void Engine::release(int64_t handle) {
  const auto found = kept_.find(handle);
  if (found == kept_.end()) return;
  spare_ = std::move(found->second);
  kept_.erase(found);
}

TokenValues Engine::forward_backward(const BatchArguments& arguments, std::span<const float> coef,
                                     std::span<const float> coef_entropy, const AbortFlag& abort) {
  std::unique_ptr<Kept> kept = spare_ ? std::move(spare_) : std::make_unique<Kept>();
  kept->batch = make_batch(arguments);
  kept->rows = HeadRows::select(kept->batch, arguments.mask);
  kept->options = head_options(arguments);
  kept->activations.recompute = options_.recompute;
  check_coefficients(kept->batch, kept->rows, coef, "coef");
  if (!coef_entropy.empty())
    check_coefficients(kept->batch, kept->rows, coef_entropy, "entropyCoef");
  TokenValues values(coef.size());
  transformer_.forward(policy_, packed_.get(), kept->batch, kept->activations, abort);
  backward_from_rows(*kept, coef, coef_entropy, values, abort);
  spare_ = std::move(kept);
  return values;
}

void Engine::set_logit_scale(std::vector<float> scale) {
  require_idle("setLogitScale");
  if (!scale.empty() && static_cast<int64_t>(scale.size()) != config_.vocab_size)
    throw std::invalid_argument("scale must have one element per vocabulary id (" +
                                std::to_string(config_.vocab_size) + "), not " +
                                std::to_string(scale.size()));
  for (size_t i = 0; i < scale.size(); ++i)
    if (!(scale[i] > 0.0f) || !std::isfinite(scale[i]))
      throw std::invalid_argument("scale[" + std::to_string(i) + "] = " + std::to_string(scale[i]) +
                                  ", must be positive and finite");
  if (!kept_.empty())
    throw std::invalid_argument(
        "scale cannot change between forward and backward: use or release every handle first");
  head_.set_logit_scale(std::move(scale));
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
  transformer_.forward(policy_, packed_.get(), batch, state, AbortFlag());
  const Tensor z = head_.logits(matrix(state.hidden.data(), batch.size(), config_.hidden_size),
                                positions, policy_.head, packed_ ? packed_->head.get() : nullptr);
  return {z.f32(), z.f32() + z.size()};
}

std::vector<GenerateResult> Engine::generate(std::span<const GenerateRequest> requests,
                                             GenerateOptions options,
                                             const std::function<void(int64_t)>& on_progress,
                                             const AbortFlag& abort, const OnFinish& on_finish) {
  if (options.vocab_limit == 0) options.vocab_limit = config_.vocab_size;
  if (options.vocab_limit < 1 || options.vocab_limit > config_.vocab_size)
    throw std::invalid_argument("vocabLimit must be at most the vocabulary's size, " +
                                std::to_string(config_.vocab_size));
  if (options.max_sequences < 1) throw std::invalid_argument("maxSequences must be at least 1");
  if (options.prefill_rows < 1) throw std::invalid_argument("prefillRows must be at least 1");
  return generator_.run(policy_, packed(), requests, options, on_progress, abort, on_finish);
}

// ---- serving

std::shared_ptr<RequestInbox> Engine::serve_open(const ServeOptions& options) {
  if (session_) throw std::invalid_argument("a serving session is open already: close it first");
  const int64_t vocab_limit = options.vocab_limit == 0 ? config_.vocab_size : options.vocab_limit;
  if (vocab_limit < 1 || vocab_limit > config_.vocab_size)
    throw std::invalid_argument("vocabLimit must be at most the vocabulary's size, " +
                                std::to_string(config_.vocab_size));
  if (options.max_sequences < 1) throw std::invalid_argument("maxSequences must be at least 1");
  if (options.prefill_rows < 1) throw std::invalid_argument("prefillRows must be at least 1");
  auto session = std::make_unique<Session>(ops_, config_, decoder_);
  const int64_t page_bytes = session->scheduler.page_bytes();
  const int64_t pages = options.max_cache_bytes / page_bytes;
  if (pages < 1)
    throw std::invalid_argument("maxCacheBytes = " + std::to_string(options.max_cache_bytes) +
                                " must hold a page of keys and values, " +
                                std::to_string(page_bytes) + " bytes, at least");
  session->scheduler.configure({vocab_limit, options.max_sequences, options.prefill_rows}, pages);
  session->inbox = std::make_shared<RequestInbox>(config_.vocab_size, pages);
  session_ = std::move(session);
  return session_->inbox;
}

bool Engine::serve_step(double seconds, std::vector<Event>& events) {
  if (!session_) throw std::invalid_argument("no serving session is open");
  Scheduler& scheduler = session_->scheduler;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  do {
    session_->inbox->empty_into(scheduler);
    if (scheduler.idle()) return false;
    scheduler.step(policy_, packed(), events);
  } while (std::chrono::steady_clock::now() < end);
  return !scheduler.idle();
}

SchedulerStats Engine::serve_stats() const {
  if (!session_) throw std::invalid_argument("no serving session is open");
  return session_->scheduler.stats();
}

void Engine::serve_close() {
  session_.reset();
}

void Engine::require_idle(const char* what) const {
  if (session_ && !session_->scheduler.idle())
    throw std::invalid_argument(
        std::string(what) + ": " +
        std::to_string(session_->scheduler.stats().running + session_->scheduler.stats().waiting) +
        " requests of the serving session are live, and the weights of a "
        "completion must not change: await or cancel them first");
}

void Engine::parameters_changed() {
  packed_.reset();
  if (session_) session_->scheduler.forget_prefixes();
}

// ---- optimizer

ModelView& Engine::gradients() {
  if (!gradient_view_) {
    zeroed(gradients_, layout_.total());
    gradient_view_.emplace(config_, layout_, gradients_.data());
  }
  return *gradient_view_;
}

void Engine::zero_gradients() {
  if (gradients_.empty()) return;
  std::memset(gradients_.data(), 0, static_cast<size_t>(layout_.total()) * sizeof(float));
}

Slice Engine::moments() const {
  return ranks_ && ranks_->sharded() ? ranks_->own() : Slice{0, layout_.total()};
}

void Engine::update(const OptimizerArguments& a, const float* grad, float clip) {
  const Slice mine = moments();
  zeroed(m_, mine.size());
  zeroed(v_, mine.size());
  ++step_;
  const std::vector<Parameter>& all = layout_.all();
  for (size_t first = 0; first < all.size();) {
    size_t end = first + 1;
    while (end < all.size() && all[end].decay == all[first].decay) ++end;
    const int64_t begin = std::max(all[first].offset, mine.begin);
    const int64_t n = std::min(all[end - 1].offset + all[end - 1].size(), mine.end) - begin;
    const int64_t at = begin - mine.begin;
    if (n > 0)
      ops_.adamw({parameters_.data() + begin, grad + at, m_.data() + at, v_.data() + at, n,
                  a.learning_rate, a.beta1, a.beta2, a.epsilon,
                  all[first].decay ? a.weight_decay : 0.0f, clip, step_});
    first = end;
  }
}

double Engine::optimizer_step(const OptimizerArguments& a, const std::string& label) {
  require_idle("optimizerStep");
  gradients();
  const double norm = ranks_ ? ranks_->norm(label)
                             : std::sqrt(ops_.sum_of_squares(gradients_.data(), layout_.total()));
  if (std::isfinite(norm)) {
    const float clip = a.max_grad_norm > 0 && norm > a.max_grad_norm
                           ? static_cast<float>(a.max_grad_norm / (norm + 1e-6))
                           : 1.0f;
    if (!ranks_) {
      update(a, gradients_.data(), clip);
    } else if (ranks_->sharded()) {
      update(a, ranks_->sum(), clip);
      ranks_->gather(parameters_.data() + ranks_->own().begin, parameters_.data(), label);
    } else {
      ranks_->gather(ranks_->sum(), gradients_.data(), label);
      update(a, gradients_.data(), clip);
    }
    parameters_changed();
  }
  if (ranks_) ranks_->clear();
  zero_gradients();
  return norm;
}

void Engine::join(std::unique_ptr<Communicator> communicator, Shard shard) {
  if (step_ != 0 || ranks_)
    throw std::invalid_argument("join: ranks meet once, before the first optimizer step");
  ranks_ = std::make_unique<DataParallel>(std::move(communicator), ops_, layout_.total(), shard);
}

DataParallel& Engine::ranks() {
  if (!ranks_) throw std::invalid_argument("this engine has joined no ranks");
  return *ranks_;
}

void Engine::accumulate(int contributors, const std::string& label) {
  gradients();
  ranks().add(gradients_.data(), contributors, label);
  zero_gradients();
}

void Engine::reset_optimizer() {
  m_.release();
  v_.release();
  step_ = 0;
}

MemoryUse Engine::memory_use() const {
  const auto bytes = [](const Buffer<float>& b) {
    return static_cast<int64_t>(b.size() * sizeof(float));
  };
  MemoryUse use{bytes(parameters_), bytes(gradients_), bytes(m_) + bytes(v_), 0};
  if (ranks_) use.gradients += ranks_->bytes();
  for (const auto& [name, slot] : slots_) use.slots += bytes(slot.parameters);
  return use;
}

}  // namespace kogrpo
