// Generation on the engine's model, as one call and as a session.

#include <chrono>
#include <stdexcept>

#include "engine/engine.h"

namespace kogrpo {
namespace {

// A model samples token after token only if a token sees what precedes it and a head over tokens.
void require_causal_lm(const ModelConfig& config) {
  if (config.bidirectional)
    throw std::invalid_argument(
        "a bidirectional model does not generate token after token: fill masked tokens instead");
  if (config.num_labels > 0)
    throw std::invalid_argument("a model with a head of " + std::to_string(config.num_labels) +
                                " labels has no tokens to generate");
}

// The options of a scheduler, 0 as vocab_limit being the whole vocabulary.
SchedulerOptions checked(int64_t vocab_limit, int64_t max_sequences, int64_t prefill_rows,
                         const ModelConfig& config) {
  if (vocab_limit == 0) vocab_limit = config.vocab_size;
  if (vocab_limit < 1 || vocab_limit > config.vocab_size)
    throw std::invalid_argument("vocabLimit must be at most the vocabulary's size, " +
                                std::to_string(config.vocab_size));
  if (max_sequences < 1) throw std::invalid_argument("maxSequences must be at least 1");
  if (prefill_rows < 1) throw std::invalid_argument("prefillRows must be at least 1");
  return {vocab_limit, max_sequences, prefill_rows};
}

}  // namespace

std::vector<GenerateResult> Engine::generate(std::span<const GenerateRequest> requests,
                                             GenerateOptions options,
                                             const std::function<void(int64_t)>& on_progress,
                                             const AbortFlag& abort, const OnFinish& on_finish) {
  require_causal_lm(config_);
  options.vocab_limit =
      checked(options.vocab_limit, options.max_sequences, options.prefill_rows, config_)
          .vocab_limit;
  Together together;
  if (options.group > 0) {
    if (options.live < 1) throw std::invalid_argument("live must be at least 1");
    together.group = options.group;
    together.live = options.live;
    // All ranks make the same calls: a label may come again, this number does not.
    const std::string key = "groups of call " + std::to_string(++dealt_) + ", " + options.label;
    together.claim = [this, key] { return ranks().communicator().claim(key); };
  }
  if (weights_in_pieces() && !parameters_.there())
    return generate_streaming(requests, options, together, on_progress, abort, on_finish);
  return with_plan([&] {
    return generator_.run(policy_, packed(), requests, options, on_progress, abort, on_finish,
                          lent_for_generation(), &together);
  });
}

std::vector<GenerateResult> Engine::generate_streaming(
    std::span<const GenerateRequest> requests, const GenerateOptions& options, Together& together,
    const std::function<void(int64_t)>& on_progress, const AbortFlag& abort,
    const OnFinish& on_finish) {
  if (ranks_->in_turn() || options.label.empty())
    throw std::invalid_argument(
        "generate: weights come layer by layer, and all ranks sample together: outside of a turn, "
        "and with a label");
  int64_t step = 0;
  bool walked = false;
  const BlockHooks hooks{[&](int64_t block) {
                           walked = true;
                           stream_block(block);
                         },
                         {}};
  // An abort is one of all ranks: whoever left alone would be missing in the next gathering.
  constexpr uint8_t kIdle = 0, kBusy = 1, kAborted = 2;
  together.go = [&](bool busy) {
    const std::string label = options.label + ", step " + std::to_string(++step);
    const uint8_t mine = abort.is_set() ? kAborted : busy ? kBusy : kIdle;
    const auto all = ranks_->communicator().all_gather_bytes({&mine, 1}, label);
    bool any = false;
    for (size_t rank = 0; rank < all.size(); ++rank) {
      if (all[rank][0] == kAborted && mine == kAborted) throw Aborted();
      if (all[rank][0] == kAborted) throw Aborted("rank " + std::to_string(rank));
      any |= all[rank][0] == kBusy;
    }
    ranks_->begin_pass(label);
    walked = false;
    return any;
  };
  together.pass = [&] {
    for (int64_t block = 0; !walked && block < layout_.blocks(); ++block) stream_block(block);
    walked = true;
  };
  struct Hooked {
    Decoder& decoder;
    ~Hooked() { decoder.set_hooks(nullptr); }
  } const hooked{decoder_};
  decoder_.set_hooks(&hooks);
  const PackedModel unpacked(streamed_->layers.size());
  const AbortFlag between_steps_only;
  return with_plan([&] {
    return generator_.run(*streamed_, integers_ ? packed() : unpacked, requests, options,
                          on_progress, between_steps_only, on_finish, lent_for_generation(),
                          &together);
  });
}

// ---- serving

std::shared_ptr<RequestInbox> Engine::serve_open(const ServeOptions& options) {
  require_causal_lm(config_);
  if (session_) throw std::invalid_argument("a serving session is open already: close it first");
  const SchedulerOptions limits =
      checked(options.vocab_limit, options.max_sequences, options.prefill_rows, config_);
  auto session = std::make_unique<Session>(*device_, config_, decoder_);
  const int64_t page_bytes = session->scheduler.page_bytes();
  const int64_t pages = options.max_cache_bytes / page_bytes;
  if (pages < 1)
    throw std::invalid_argument("maxCacheBytes = " + std::to_string(options.max_cache_bytes) +
                                " must hold a page of keys and values, " +
                                std::to_string(page_bytes) + " bytes, at least");
  with_plan([&] { session->scheduler.configure(limits, pages); });
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
    with_plan([&] { scheduler.step(policy_, packed(), events); });
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

}  // namespace kogrpo
