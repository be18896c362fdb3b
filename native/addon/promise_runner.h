#pragma once
// The one way work leaves the JavaScript thread: EngineThread owns a thread and a queue; run()
// takes a closure, returns a promise. The closure executes on the engine's thread and returns a
// second closure that makes the JavaScript value, back on the JavaScript thread. Errors become
// Error objects with a `code`. Jobs run one at a time in the order of the calls. The thread ends,
// and is joined, with the job that says so.

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/errors.h"

namespace kogrpo {

using ToJs = std::function<Napi::Value(Napi::Env)>;

// Abort flag, progress and early results of one call, shared with JavaScript (class Control in
// control.h).
struct JobControl {
  AbortFlag abort;
  std::atomic<int64_t> progress{0};

  // From the engine's thread: a part of the result that JavaScript may have before the rest.
  void post(ToJs part) {
    const std::lock_guard lock(mutex);
    parts.push_back(std::move(part));
  }
  std::vector<ToJs> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(parts, {});
  }

 private:
  std::mutex mutex;
  std::vector<ToJs> parts;
};

using Work = std::function<ToJs(JobControl&)>;

class EngineThread {
 public:
  explicit EngineThread(Napi::Env env);
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  enum class Then { go_on, end };

  // `owner` is kept alive until the promise settles. Where that of a job with Then::end does, the
  // thread has ended; later jobs run at once, on JavaScript's thread: there is nothing left for
  // them to work on.
  Napi::Promise run(Napi::Object owner, std::shared_ptr<JobControl> control, Work work,
                    Then then = Then::go_on);

 private:
  struct Job {
    Napi::Promise::Deferred deferred;
    Napi::ObjectReference owner;
    std::shared_ptr<JobControl> control;
    Work work;
    Then then;
    ToJs result;
    std::string error, code;

    void perform();
    void settle(Napi::Env env);
  };
  static void settle(Napi::Env env, Napi::Function, EngineThread* self, Job* job);
  using Settle = Napi::TypedThreadSafeFunction<EngineThread, Job, settle>;

  // Node frees the thread-safe function of an environment that ends before it finalizes objects,
  // this one's owner among them. Shared with the function's finalizer: from `gone` on nobody
  // touches it.
  struct Lifeline {
    std::mutex mutex;
    bool gone = false;
  };

  void loop();

  std::shared_ptr<Lifeline> lifeline_ = std::make_shared<Lifeline>();
  Settle settle_;
  int64_t pending_ = 0;  // JavaScript thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::shared_ptr<JobControl> current_;
  bool stopping_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace kogrpo
