#pragma once
// Results of a job as values of JavaScript, made when the job's promise is settled.

#include <napi.h>

#include <utility>
#include <vector>

#include "addon/convert.h"
#include "addon/promise_runner.h"

namespace kogrpo {

inline ToJs undefined() {
  return [](Napi::Env env) { return env.Undefined(); };
}

template <class T>
ToJs typed(std::vector<T> values) {
  return [values = std::move(values)](Napi::Env env) { return to_js(env, values); };
}

}  // namespace kogrpo
