// NativeEngine's methods for training: passes over batches, and the optimizer.

#include <optional>
#include <utility>

#include "addon/control.h"
#include "addon/convert.h"
#include "addon/engine_wrap.h"
#include "addon/results.h"

namespace kogrpo {
namespace {

ToJs token_values(TokenValues values, int64_t handle) {
  return [values = std::move(values), handle](Napi::Env env) {
    Napi::Object o = Napi::Object::New(env);
    o.Set("logprobs", to_js(env, values.logprobs));
    o.Set("entropies", to_js(env, values.entropies));
    o.Set("correct", to_js(env, values.correct));
    if (handle != 0) o.Set("handle", Napi::Number::New(env, static_cast<double>(handle)));
    return static_cast<Napi::Value>(o);
  };
}

// Owns what BatchArguments points into.
struct OwnedBatch {
  std::vector<int32_t> tokens, cu_seqlens, prefixes, targets;
  std::vector<uint8_t> mask;
  float temperature = 1.0f;
  int64_t vocab_limit = 0;

  explicit OwnedBatch(const Napi::Object& o)
      : tokens(array<int32_t>(o.Get("tokens"), "tokens")),
        cu_seqlens(array<int32_t>(o.Get("cuSeqlens"), "cuSeqlens")),
        prefixes(array_or_empty<int32_t>(o.Get("prefixes"), "prefixes")),
        targets(array_or_empty<int32_t>(o.Get("targets"), "targets")),
        mask(array_or_empty<uint8_t>(o.Get("mask"), "mask")),
        temperature(static_cast<float>(number_or(o, "temperature", 1.0))),
        vocab_limit(integer_or(o, "vocabLimit", 0)) {}

  BatchArguments arguments() const {
    return {tokens, cu_seqlens, mask, temperature, vocab_limit, prefixes, targets};
  }
};

}  // namespace

Napi::Value EngineWrap::forward(Info info) {
  const Napi::Object o = object(info[0], "batch");
  return run(info, info[1],
             [batch = OwnedBatch(o), keep = boolean_or(o, "keep", false),
              slot = o.Get("slot").IsUndefined() ? "policy" : string(o.Get("slot"), "slot")](
                 Engine& engine, JobControl& control) {
               int64_t handle = 0;
               TokenValues values =
                   engine.forward(batch.arguments(), slot, keep, &handle, control.abort);
               return token_values(std::move(values), handle);
             });
}

// info: the batch or null, {slot, label}.
Napi::Value EngineWrap::forward_streaming(Info info) {
  const Napi::Object o = object(info[1], "options");
  std::optional<OwnedBatch> batch;
  if (info[0].IsObject()) batch.emplace(info[0].As<Napi::Object>());
  return run(info, info[2],
             [batch = std::move(batch), slot = string(o.Get("slot"), "slot"),
              label = string(o.Get("label"), "label")](Engine& engine, JobControl& control) {
               std::optional<BatchArguments> arguments;
               if (batch) arguments = batch->arguments();
               return token_values(engine.forward_streaming(arguments ? &*arguments : nullptr, slot,
                                                            label, control.abort),
                                   0);
             });
}

// {tensor, row, column, count, value}, or null where every value is finite.
Napi::Value EngineWrap::trace(Info info) {
  const Napi::Object o = object(info[0], "batch");
  return run(info, info[1],
             [batch = OwnedBatch(o),
              slot = o.Get("slot").IsUndefined() ? "policy" : string(o.Get("slot"), "slot")](
                 Engine& engine, JobControl& control) {
               const auto found = engine.trace(batch.arguments(), slot, control.abort);
               return [found](Napi::Env env) -> Napi::Value {
                 if (!found) return env.Null();
                 Napi::Object result = Napi::Object::New(env);
                 result.Set("tensor", found->tensor);
                 result.Set("row", static_cast<double>(found->row));
                 result.Set("column", static_cast<double>(found->column));
                 result.Set("count", static_cast<double>(found->count));
                 result.Set("value", found->value);
                 return result;
               };
             });
}

Napi::Value EngineWrap::backward(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1],
             [handle = integer(o, "handle"), coef = array<float>(o.Get("coef"), "coef"),
              entropy = array_or_empty<float>(o.Get("entropyCoef"), "entropyCoef")](
                 Engine& engine, JobControl& control) {
               engine.backward(handle, coef, entropy, control.abort);
               return undefined();
             });
}

Napi::Value EngineWrap::release(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  return run(info, info[1], [handle = integer(o, "handle")](Engine& engine, JobControl&) {
    engine.release(handle);
    return undefined();
  });
}

Napi::Value EngineWrap::forward_backward(Info info) {
  const Napi::Object o = object(info[0], "batch");
  return run(info, info[1],
             [batch = OwnedBatch(o), coef = array<float>(o.Get("coef"), "coef"),
              entropy = array_or_empty<float>(o.Get("entropyCoef"), "entropyCoef")](
                 Engine& engine, JobControl& control) {
               return token_values(
                   engine.forward_backward(batch.arguments(), coef, entropy, control.abort), 0);
             });
}

Napi::Value EngineWrap::set_logit_scale(Info info) {
  return run(info, info[1],
             [scale = array_or_empty<float>(info[0], "scale")](Engine& engine, JobControl&) {
               engine.set_logit_scale(scale);
               return undefined();
             });
}

Napi::Value EngineWrap::activation_impact(Info info) {
  return run(info, info[1],
             [batch = OwnedBatch(object(info[0], "batch"))](Engine& engine, JobControl& control) {
               return typed(engine.activation_impact(batch.arguments(), control.abort));
             });
}

Napi::Value EngineWrap::logits(Info info) {
  return run(info, info[2],
             [tokens = array<int32_t>(info[0], "tokens"),
              positions = array<int32_t>(info[1], "positions")](Engine& engine, JobControl&) {
               return typed(engine.logits(tokens, positions));
             });
}

Napi::Value EngineWrap::zero_gradients(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    engine.zero_gradients();
    return undefined();
  });
}

Napi::Value EngineWrap::optimizer_step(Info info) {
  const Napi::Object o = object(info[0], "arguments");
  const OptimizerArguments a{static_cast<float>(number(o, "learningRate")),
                             static_cast<float>(number_or(o, "beta1", 0.9)),
                             static_cast<float>(number_or(o, "beta2", 0.999)),
                             static_cast<float>(number_or(o, "epsilon", 1e-8)),
                             static_cast<float>(number_or(o, "weightDecay", 0)),
                             static_cast<float>(number_or(o, "maxGradNorm", 0))};
  const std::string label = o.Get("label").IsUndefined() ? "" : string(o.Get("label"), "label");
  return run(info, info[1], [a, label](Engine& engine, JobControl&) {
    const double norm = engine.optimizer_step(a, label);
    return [norm](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, norm); };
  });
}

Napi::Value EngineWrap::reset_optimizer(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    engine.reset_optimizer();
    return undefined();
  });
}

}  // namespace kogrpo
