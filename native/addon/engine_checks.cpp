// NativeEngine's methods that look into a running engine: a copy of its state, hashes of its
// weights.

#include <memory>
#include <utility>
#include <vector>

#include "addon/convert.h"
#include "addon/engine_wrap.h"

namespace kogrpo {

namespace {

// {blocks: Uint8Array[], release()}: the memory is given back when release is called, not when
// JavaScript happens to collect its garbage.
Napi::Value snapshot_of(Napi::Env env, std::vector<Buffer<uint8_t>>& blocks) {
  const Napi::Array list = Napi::Array::New(env, blocks.size());
  for (uint32_t i = 0; i < list.Length(); ++i) {
    auto* held = new Buffer<uint8_t>(std::move(blocks[i]));
    const size_t bytes = held->size();
    const auto memory = Napi::ArrayBuffer::New(
        env, held->data(), bytes, [](Napi::Env, void*, Buffer<uint8_t>* gone) { delete gone; },
        held);
    list.Set(i, Napi::Uint8Array::New(env, bytes, memory, 0));
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("blocks", list);
  result.Set("release", Napi::Function::New(env, [](const Napi::CallbackInfo& call) {
               const auto all = call.This().As<Napi::Object>().Get("blocks").As<Napi::Array>();
               for (uint32_t i = 0; i < all.Length(); ++i) {
                 Napi::ArrayBuffer memory = all.Get(i).As<Napi::Uint8Array>().ArrayBuffer();
                 if (!memory.IsDetached()) memory.Detach();
               }
             }));
  return result;
}

}  // namespace

Napi::Value EngineWrap::snapshot_state(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    auto blocks = std::make_shared<std::vector<Buffer<uint8_t>>>(engine.snapshot_state());
    return [blocks](Napi::Env env) { return snapshot_of(env, *blocks); };
  });
}

Napi::Value EngineWrap::snapshot_parameters(Info info) {
  return run(
      info, info[4],
      [names = strings(info[0], "names"), type = dtype(info[1]), keep = info[2].ToBoolean().Value(),
       label = string(info[3], "label")](Engine& engine, JobControl&) {
        auto blocks = std::make_shared<std::vector<Buffer<uint8_t>>>(
            engine.snapshot_parameters(names, type, keep, label));
        return [blocks](Napi::Env env) { return snapshot_of(env, *blocks); };
      });
}

Napi::Value EngineWrap::weight_digests(Info info) {
  return run(info, info[0], [](Engine& engine, JobControl&) {
    const WeightDigests digests = engine.weight_digests();
    return [digests](Napi::Env env) -> Napi::Value {
      Napi::Object result = Napi::Object::New(env);
      result.Set("parameters", Napi::BigInt::New(env, digests.parameters));
      result.Set("sampler", Napi::BigInt::New(env, digests.sampler));
      result.Set("expected", Napi::BigInt::New(env, digests.expected));
      return result;
    };
  });
}

}  // namespace kogrpo
