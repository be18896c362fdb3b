#pragma once
// class Control in JavaScript: aborts the call it was given to, tells its progress and hands out
// what of its result is there already.

#include <napi.h>

#include <memory>

#include "addon/promise_runner.h"

namespace kogrpo {

class Control : public Napi::ObjectWrap<Control> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Control(const Napi::CallbackInfo& info);

  // The shared part of an argument that is a Control, or null if it is undefined.
  static std::shared_ptr<JobControl> from(const Napi::Value& value);

 private:
  void abort(const Napi::CallbackInfo&) { shared_->abort.set(); }
  Napi::Value progress(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(shared_->progress.load()));
  }

  // The parts of the result that were posted since the last call.
  Napi::Value take(const Napi::CallbackInfo& info);

  std::shared_ptr<JobControl> shared_;
};

}  // namespace kogrpo
