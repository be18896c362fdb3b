#pragma once
// One model on one device: parameters in slots, gradients, optimizer, packed forward and backward,
// generation. Knows no algorithm: losses arrive as ∂L/∂logprob and ∂L/∂entropy per token.
// Not thread-safe: one thread owns an engine (native/addon gives each its own).

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/data_parallel.h"
#include "engine/generate.h"
#include "engine/int8_base.h"
#include "engine/lm_head.h"
#include "engine/memory_plan.h"
#include "engine/optimizer.h"
#include "engine/parameter_store.h"
#include "engine/parameters.h"
#include "engine/serving.h"
#include "engine/state_file.h"
#include "engine/trainable.h"
#include "engine/transformer.h"

namespace kogrpo {

struct EngineOptions {
  std::string device = "cpu";  // or cuda, cuda:<index> (ops/device.h)
  int threads = 0;             // of the host; 0: every processor this process may use
  bool recompute = false;      // activation recomputation (gradient_checkpointing)
  int64_t lm_head_chunk = 0;
  // bf16: products with the weights rounded. The parameters stay fp32, which is bfloat16 and the 16
  // bits that it lacks; on a CPU every copy for sampling is of half the size, on a GPU weights,
  // gradients and activations are stored as bf16. int8: sampling and scoring; with adapters also
  // training, of these, and the matrices under them exist as integers alone (int8_base.h).
  Precision precision = Precision::f32;
  bool deterministic = false;                  // CudaOptions; the CPU always is
  MomentType moments = MomentType::eight_bit;  // of a device that stores bf16
  // What the model will be used for: on a device with memory of its own the plan must fit before
  // anything is allocated. Only its sizes are read (training, slots, tokens, rows).
  MemoryOptions use = {.training = false};
  LoraConfig lora = {};
};

struct BatchArguments {
  std::span<const int32_t> tokens, cu_seqlens;
  std::span<const uint8_t> mask;  // which tokens' log-probs are wanted; empty: all
  float temperature = 1.0f;
  int64_t vocab_limit = 0;  // 0: the whole vocabulary
  // Per sequence: how many of its first tokens are those of its root, the nearest sequence before
  // it with 0 here. They are computed once. Empty: none.
  std::span<const int32_t> prefixes = {};
  // Per token: what its own row is to predict, in place of the token after it. Empty: none.
  std::span<const int32_t> targets = {};
};

constexpr size_t kMaxSlotName = 64;  // bytes, in a state's file

// A value that is not finite. `row` is the caller's token; `count` how many of the tensor are not.
struct NonFinite {
  std::string tensor;
  int64_t row = 0, column = 0, count = 0;
  float value = 0;
};

struct WeightDigests {
  uint64_t parameters = 0, sampler = 0, expected = 0;
};

struct MemoryUse {
  int64_t parameters = 0, gradients = 0, moments = 0, slots = 0;  // bytes
  // Of weights in pieces: the most that was ever gathered at a time beside the rooms.
  int64_t most_gathered = 0;
};

class Engine {
 public:
  Engine(const ModelConfig& config, const EngineOptions& options);

  const ModelConfig& config() const { return config_; }
  const ParameterLayout& layout() const { return layout_; }
  Device& device() { return *device_; }
  // What the model takes on a device with memory of its own; empty on the CPU.
  std::string memory_table() const;
  const MemoryOptions& planned_use() const { return use_; }

  // The model's parameters, or those of its adapters.
  void initialize(const InitOptions& options, bool adapters = false);
  void load_parameter(const std::string& name, const std::string& path, int64_t offset,
                      DType dtype);
  // Writes `names`, in the flat order, behind `header` (made by lib/model/safetensors.ts). Of
  // weights in pieces that are not held a collective, of which `label` is the name, and one block's
  // are gathered at a time; with an empty `path` this rank takes part and writes nothing.
  void save_parameters(const std::string& path, std::span<const uint8_t> header,
                       const std::vector<std::string>& names, DType dtype,
                       const std::string& label = {});
  // The bytes that save_parameters would write behind the header: a copy, as snapshot_state makes
  // one. Without `keep` this rank takes part only.
  std::vector<Buffer<uint8_t>> snapshot_parameters(const std::vector<std::string>& names,
                                                   DType dtype, bool keep = true,
                                                   const std::string& label = {});
  std::vector<float> read_parameter(const std::string& name) const;
  void write_parameter(const std::string& name, std::span<const float> values);
  std::vector<float> read_gradient(const std::string& name) const;

  // Everything that the next optimizer step depends on: fp32 parameters, moments, step count, and
  // every slot. Loading replaces the slots by those of the file. Each of several ranks writes its
  // part (state_file.h), and all read all of them: the state does not depend on ranks or sharding.
  void save_state(const std::string& path);
  void load_state(const std::string& path);
  // The bytes that save_state would write, as blocks of at most a GiB: a copy, so that they can be
  // written while the engine goes on.
  std::vector<Buffer<uint8_t>> snapshot_state();

  // XXH64 of the fp32 parameters, of what the sampler multiplies with (its packed copy), and of
  // what it should be: a fresh copy of the present parameters. The last two differ where weights
  // did not reach the sampler; both are 0 before anything was sampled.
  WeightDigests weight_digests();

  // The first value of a forward pass that is not finite, in the order of computing; none if all
  // are. Every activation of the batch is kept, whatever `recompute` says.
  std::optional<NonFinite> trace(const BatchArguments& batch, const std::string& slot,
                                 const AbortFlag& abort);

  // What training moves from now on: the parameters named, of some of them a part only. Gradients,
  // moments and slots exist for these alone; the rest keeps its bits. Until the first call: every
  // parameter, or the adapters if there are any. Refused while slots or handles are held.
  void set_trainable(std::span<const std::string> names, std::span<const TrainedPart> parts);

  // Copies of the trained parameters under a name: slot ← (1 − alpha)·slot + alpha·policy; a slot
  // that does not exist yet becomes a copy, or stays away where memory for it ends. "policy" itself
  // is the trained one, "base" the model without its adapters.
  void update_slot(const std::string& slot, float alpha);

  // Log-probs and entropies under a slot. With keep, what the backward needs stays under the
  // returned handle (policy only) until backward or release: a training pass, with the adapters'
  // dropout, as is forward_backward. When the parameters have changed backward refuses the handle.
  TokenValues forward(const BatchArguments& batch, const std::string& slot, bool keep,
                      int64_t* handle, const AbortFlag& abort);
  // forward() without keep on weights in pieces, outside of turns: a collective that gathers them
  // block by block, those of the policy or of a slot. Without a batch this rank takes part only. An
  // abort is seen at its end.
  TokenValues forward_streaming(const BatchArguments* batch, const std::string& slot,
                                const std::string& label, const AbortFlag& abort);
  void backward(int64_t handle, std::span<const float> coef, std::span<const float> coef_entropy,
                const AbortFlag& abort);
  void release(int64_t handle);
  // Both in one pass, for coefficients that are known beforehand: no logits are computed twice.
  TokenValues forward_backward(const BatchArguments& batch, std::span<const float> coef,
                               std::span<const float> coef_entropy, const AbortFlag& abort);
  // Multiplies every logit of vocabulary id v by scale[v] (positive, finite), under every slot, in
  // sampling, log-probs and gradients alike; empty: plain logits again. Not while a handle is kept.
  void set_logit_scale(std::vector<float> scale);
  // By layer and neuron (rows of q, of k, of v, channels of the feed-forward, in this order), how
  // much of the layer's output it makes: engine_impact.cpp.
  std::vector<float> activation_impact(const BatchArguments& batch, const AbortFlag& abort);
  // Rows of logits of one sequence at `positions`, [positions, V].
  std::vector<float> logits(std::span<const int32_t> tokens, std::span<const int32_t> positions);

  std::vector<GenerateResult> generate(std::span<const GenerateRequest> requests,
                                       GenerateOptions options,
                                       const std::function<void(int64_t)>& on_progress,
                                       const AbortFlag& abort, const OnFinish& on_finish = {});

  // A serving session (serving.h); one at a time. Requests go through the inbox, from any thread.
  std::shared_ptr<RequestInbox> serve_open(const ServeOptions& options);
  // Steps until `seconds` have passed or nothing is live; what came of it is appended to `events`.
  // Whether anything is still live.
  bool serve_step(double seconds, std::vector<Event>& events);
  SchedulerStats serve_stats() const;
  // Ends the session with everything that is live.
  void serve_close();

  // Makes this engine one rank of several that train the same model: from now on gradients are made
  // in turns; optimizer_step() is a collective. Only before the first
  // step.
  void join(std::unique_ptr<Communicator> communicator, Shard shard);
  // Of this rank. Throws if it has not joined any.
  DataParallel& ranks();
  // A turn: the first `contributors` ranks have a micro-batch and make one backward, which sends
  // every block's gradient when it is done; then all add what came to the sum of the step.
  void begin_turn(int contributors, const std::string& label);
  void accumulate();

  // With sharded parameters: the whole weights on every rank, and those of the slots too if asked;
  // they stay until the next turn or change. A collective where they are not there already.
  void hold_weights(bool slots, const std::string& label);

  // Of the step so far, among ranks this one's part of the sum.
  void zero_gradients();
  // Global norm of the gradients before clipping. Steps only if it is finite (otherwise the
  // parameters and moments are left as they were), then clears the gradients.
  // `label` names it among ranks.
  double optimizer_step(const OptimizerArguments& arguments, const std::string& label = {});
  // Forgets moments and step count (a new stage, or a reference reset).
  void reset_optimizer();

  MemoryUse memory_use() const;

 private:
  struct Kept {
    PackedBatch batch;
    HeadRows rows;
    HeadOptions options;
    Activations activations;
    uint64_t weights = 0;  // weights_made_ when it was made
  };

  // What this rank writes of a state of `whole` bytes, piece by piece: engine_state.cpp.
  using StateSink = std::function<void(const void*, size_t)>;
  struct StatePiece {
    StateRange range;
    std::function<void(const StateSink&)> write;
  };
  std::vector<StatePiece> state_pieces(int64_t& whole);
  // To where `open` says, given the number of bytes that will come.
  void write_state(const std::function<StateSink(int64_t bytes)>& open);
  // Where parameters lie: in the run of the trained ones where that is given, else in the model's.
  ModelView::Locate locate(const ParameterStore* trained) const;
  // Of a slot: the packed weights that its products may use, or null. Of int8, which is made by
  // packing, always those of the policy.
  const PackedModel* packed_of(const std::string& slot);
  void require_gradients(const char* what) const;
  // The parameter of this name, which must have fp32 values. Throws std::invalid_argument.
  const Parameter& find_in_full(const std::string& name) const;
  void fill(const Parameter& p, const std::function<void(float*, int64_t, int64_t)>& make);
  const ModelView& view(const std::string& slot) const;
  const PackedModel& packed();
  // Throws if a serving session has live requests: `what` would give them other weights midway.
  void require_idle(const char* what) const;
  // `weights`: of the matrices that are packed too.
  void parameters_changed(bool weights = true);
  // The sum of gradients, zero where nothing has been added since the last step. With sharded
  // gradients the room in which blocks have theirs in turns.
  Tensor gradients();
  ModelView gradient_view();
  bool gradients_in_turns() const;
  // The first element of a unit's gradient in that memory.
  int64_t gradient_at(size_t unit) const;
  // Divides what is trained among the ranks, and with shard: parameters the weights.
  void divide();
  size_t room_of(int64_t block) const;
  // What the backward tells: a block's gradient is cleared where it has a room in turns, and sent.
  BlockHooks gradient_hooks();
  void require_turn() const;
  void begin_gradient(int64_t block);
  void send_gradient(int64_t block);
  // Weights in pieces: engine_weights.cpp.
  bool weights_in_pieces() const;
  void make_view();
  // What is trained and what is frozen: a run each, of which a rank has pieces. In the rooms the
  // units of the second are numbered behind those of the first.
  struct WeightRun {
    const Trainable& run;
    const Partition& partition;
    ParameterStore& pieces;
    size_t first_room;
  };
  std::array<WeightRun, 2> weight_runs();
  // This rank's pieces by where they are in the flat parameters, in this order.
  struct HeldWeights {
    Slice parameters;
    int64_t at;
    ParameterStore* pieces;
  };
  std::vector<HeldWeights> held_weights();
  // Where units lie in weight_rooms_; `n` elements of one from its first on.
  Tensor weight_room(size_t room, int64_t n) const;
  void cut_weights();
  void take_pieces();
  void gather_unit(const WeightRun& weights, size_t unit, const std::string& label);
  void drop_weights();
  // f(values, n) for `names` in turn, piece by piece; nothing where this rank only takes part.
  void visit_parameters(const std::vector<std::string>& names, const std::string& label,
                        const std::function<void(const float*, int64_t)>& see);
  struct GatheredBlock {
    ParameterStore store;
    std::vector<std::pair<const Parameter*, int64_t>> places;
    int64_t at(const Parameter& parameter) const;  // its first element there
  };
  GatheredBlock gather_block(std::span<const Parameter* const> block, const std::string& label);
  void require_whole(const ParameterStore& parameters) const;
  void forget_rooms();
  bool share_room(int64_t a, int64_t b) const;
  void want_weights(int64_t block);
  // Returns when the block's weights are in their room; those of `next` are on their way.
  void begin_weights(int64_t block, int64_t next);
  BlockHooks weight_hooks();
  // For one block of a pass outside of turns, the next one's weights following.
  void stream_block(int64_t block);
  // With weights in pieces that are not held: a collective, which the abort of one rank ends for
  // all, between two steps.
  std::vector<GenerateResult> generate_streaming(std::span<const GenerateRequest> requests,
                                                 const GenerateOptions& options, Together& together,
                                                 const std::function<void(int64_t)>& on_progress,
                                                 const AbortFlag& abort, const OnFinish& on_finish);
  void begin_backward(const BlockHooks& hooks);
  // The collectives of a turn without a micro-batch of one's own.
  void idle_turn();
  // What of the trained parameters this rank has moments of, and where: all but for a sharded
  // optimizer; and of how many.
  std::vector<Held> moments() const;
  int64_t moment_count() const;
  // The trained parameters of every rank's pieces, on all of them.
  void gather_parameters(const std::string& label);
  void update_parameters(const OptimizerArguments& arguments, float clip, const std::string& label);
  // Where the parameters begin that a saved state holds.
  int64_t adapters_begin() const { return options_.lora.rank > 0 ? layout_.model_total() : 0; }
  // Memory that is idle while the model generates, or null.
  Storage* lent_for_generation();
  // Runs f; an error about device memory gets the memory plan.
  template <class F>
  auto with_plan(F&& f);
  PackedBatch make_batch(const BatchArguments& batch) const;
  HeadOptions head_options(const BatchArguments& batch) const;
  // Of a training pass over a batch, in the optimizer's present step.
  LoraDropout dropout_of(const PackedBatch& batch) const;
  void check_coefficients(const PackedBatch& batch, const HeadRows& rows,
                          std::span<const float> coef, const char* name) const;
  // The forward pass; with a `handle` it is kept for a backward.
  TokenValues pass(const BatchArguments& batch, const ModelView& weights, const PackedModel* packed,
                   const BlockHooks& hooks, int64_t* handle, const AbortFlag& abort);
  void backward_from_rows(Kept& kept, std::span<const float> coef,
                          std::span<const float> coef_entropy, TokenValues& values,
                          const AbortFlag& abort);

  ModelConfig config_;
  EngineOptions options_;
  std::unique_ptr<Device> device_;
  Ops& ops_;
  DType type_;  // of weights, gradients and activations
  ParameterLayout layout_;
  Trainable trainable_;
  MemoryOptions use_;
  ParameterStore parameters_;
  Storage gradients_;
  ModelView policy_;
  std::optional<ModelView> base_;  // of a model with adapters: without them
  // scrap: generation used the memory, or a step has taken what was there. sum: of micro-batches.
  enum class Gradients { scrap, zero, sum } gradient_state_ = Gradients::scrap;
  Optimizer optimizer_;
  std::unique_ptr<DataParallel> ranks_;
  Rooms gradient_rooms_;
  Trainable frozen_;                       // of weights in pieces: what is not trained
  ParameterStore pieces_, frozen_pieces_;  // likewise
  const ParameterStore* streamed_slot_ =
      nullptr;  // whose pieces go into the rooms, or the policy's
  Rooms weight_places_;
  Storage weight_rooms_;
  int64_t most_gathered_ = 0;                   // bytes
  std::optional<ModelView> streamed_;           // of what is in the rooms
  int64_t dealt_ = 0;                           // calls of generate() whose groups were claimed
  std::vector<uint64_t> weights_there_;         // by block: the gather that put them there, or 0
  std::vector<uint8_t> block_begun_;            // in this turn
  std::array<uint64_t, 3> gradient_sent_ = {};  // the last exchange by room
  struct Slot {
    ParameterStore parameters;  // the trained ones; of weights in pieces, only while they are held
    ModelView view;
    ParameterStore pieces;  // of weights in pieces
  };
  Slot make_slot();  // its parameters undefined
  void move_slot(Slot& slot, float alpha, bool slow);
  std::map<std::string, Slot> slots_;
  std::unique_ptr<PackedModel> packed_;  // of the policy's present parameters
  std::unique_ptr<Int8Base> integers_;   // or the frozen matrices, where they are integers
  Transformer transformer_;
  LmHead head_;
  Decoder decoder_;
  Generator generator_;
  struct Session {
    Session(Device& device, const ModelConfig& config, Decoder& decoder)
        : scheduler(device, config, decoder) {}
    Scheduler scheduler;
    std::shared_ptr<RequestInbox> inbox;
  };
  std::unique_ptr<Session> session_;
  Storage dhidden_;
  std::map<int64_t, std::unique_ptr<Kept>> kept_;
  std::unique_ptr<Kept> spare_;  // its buffers are used again
  int64_t next_handle_ = 1;
  uint64_t weights_made_ = 0;  // how often the parameters have changed
};

template <class F>
auto Engine::with_plan(F&& f) {
  try {
    return f();
  } catch (const DeviceMemoryError& e) {
    throw DeviceMemoryError(e.what() + ("\n" + memory_table()));
  }
}

}  // namespace kogrpo
