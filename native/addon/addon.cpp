// The addon's module: classes NativeEngine and Control, and what the machine can do.

#include <napi.h>

#include "addon/control.h"
#include "addon/convert.h"
#include "addon/engine_wrap.h"
#include "comm/communicator.h"
#include "cpu/cpuid.h"
#include "cpu/pool.h"
#include "cuda/status.h"

namespace kogrpo {
namespace {

// Types by which Control::from tells its instances from any other object (napi type tags).
constexpr napi_type_tag kControlTag{0x6b6f6772706f0001, 0x636f6e74726f6c21};

Napi::Value machine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object o = Napi::Object::New(env);
  Napi::Array isas = Napi::Array::New(env);
  uint32_t i = 0;
  for (const KernelTable* table : available_kernels()) isas.Set(i++, table->isa);
  o.Set("instructionSets", isas);
  o.Set("threads", default_threads());
  return o;
}

// What of CUDA this build and this machine have; initialises the driver.
Napi::Value cuda(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const CudaStatus status = cuda_status();
  Napi::Object o = Napi::Object::New(env);
  o.Set("built", status.built);
  o.Set("usable", status.usable);
  o.Set("products", status.products);
  o.Set("problem", status.problem);
  Napi::Array devices = Napi::Array::New(env, status.devices.size());
  for (uint32_t i = 0; i < status.devices.size(); ++i) {
    const CudaDevice& d = status.devices[i];
    Napi::Object device = Napi::Object::New(env);
    device.Set("name", d.name);
    device.Set("capability", std::to_string(d.major) + "." + std::to_string(d.minor));
    device.Set("multiprocessors", d.multiprocessors);
    device.Set("memory", static_cast<double>(d.memory));
    devices.Set(i, device);
  }
  o.Set("devices", devices);
  if (!status.devices.empty()) {
    const NcclStatus nccl = nccl_status();
    Napi::Object ranks = Napi::Object::New(env);
    ranks.Set("usable", nccl.usable);
    ranks.Set("text", nccl.text);
    o.Set("nccl", ranks);
  }
  return o;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeEngine", EngineWrap::define(env));
  exports.Set("Control", Control::define(env));
  exports.Set("cuda", Napi::Function::New<cuda>(env, "cuda"));
  exports.Set("machine", Napi::Function::New<machine>(env, "machine"));
  return exports;
}

}  // namespace

Napi::Function Control::define(Napi::Env env) {
  return DefineClass(
      env, "Control",
      {InstanceMethod<&Control::abort>("abort"), InstanceAccessor<&Control::progress>("progress"),
       InstanceMethod<&Control::take>("take")});
}

Napi::Value Control::take(const Napi::CallbackInfo& info) {
  const std::vector<ToJs> parts = shared_->take();
  Napi::Array out = Napi::Array::New(info.Env(), parts.size());
  for (uint32_t i = 0; i < parts.size(); ++i) out.Set(i, parts[i](info.Env()));
  return out;
}

Control::Control(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Control>(info), shared_(std::make_shared<JobControl>()) {
  info.This().As<Napi::Object>().TypeTag(&kControlTag);
}

std::shared_ptr<JobControl> Control::from(const Napi::Value& value) {
  if (value.IsUndefined()) return nullptr;
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kControlTag))
    throw bad(value.Env(), "control", "a Control");
  return Unwrap(value.As<Napi::Object>())->shared_;
}

NODE_API_MODULE(kogrpo, init)

}  // namespace kogrpo
