#pragma once
// class NativeEngine in JavaScript: converts arguments, runs one Engine on its own thread. No
// arithmetic here. lib/engine/engine.ts is its only caller and documents the methods.

#include <napi.h>

#include <memory>

#include "addon/promise_runner.h"
#include "engine/engine.h"

namespace kogrpo {

class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EngineWrap(const Napi::CallbackInfo& info);

 private:
  using Info = const Napi::CallbackInfo&;
  Napi::Value open(Info);
  Napi::Value close(Info);
  Napi::Value initialize(Info);
  Napi::Value load_parameters(Info);
  Napi::Value save_parameters(Info);
  Napi::Value rewrite_tensors(Info);
  Napi::Value read_parameter(Info);
  Napi::Value write_parameter(Info);
  Napi::Value read_gradient(Info);
  Napi::Value save_state(Info);
  Napi::Value load_state(Info);
  Napi::Value snapshot_state(Info);
  Napi::Value snapshot_parameters(Info);
  Napi::Value weight_digests(Info);
  Napi::Value forward_streaming(Info);
  Napi::Value trace(Info);
  Napi::Value set_trainable(Info);
  Napi::Value update_slot(Info);
  Napi::Value forward(Info);
  Napi::Value backward(Info);
  Napi::Value release(Info);
  Napi::Value forward_backward(Info);
  Napi::Value set_logit_scale(Info);
  Napi::Value logits(Info);
  Napi::Value activation_impact(Info);
  Napi::Value generate(Info);
  Napi::Value serve_open(Info);
  Napi::Value serve_submit(Info);
  Napi::Value serve_cancel(Info);
  Napi::Value serve_step(Info);
  Napi::Value serve_close(Info);
  Napi::Value join(Info);
  Napi::Value begin_turn(Info);
  Napi::Value accumulate(Info);
  Napi::Value hold_weights(Info);
  Napi::Value all_gather_bytes(Info);
  Napi::Value zero_gradients(Info);
  Napi::Value optimizer_step(Info);
  Napi::Value reset_optimizer(Info);
  Napi::Value memory_use(Info);
  Napi::Value layout(Info);
  Napi::Value benchmark(Info);

  // Runs work(engine, control) on the engine's thread.
  Napi::Promise run(Info info, const Napi::Value& control,
                    std::function<ToJs(Engine&, JobControl&)> work);

  std::shared_ptr<std::unique_ptr<Engine>> engine_;  // shared with jobs that are still queued
  // Of the open serving session, or null; JavaScript thread only.
  std::shared_ptr<std::shared_ptr<RequestInbox>> inbox_;
  std::unique_ptr<EngineThread> thread_;
};

// A request as generate() and serveSubmit() take it.
GenerateRequest generate_request(const Napi::Object& o);

}  // namespace kogrpo
