#include "addon/promise_runner.h"

#include <new>
#include <stdexcept>

#include "comm/communicator.h"
#include "ops/device.h"

namespace kogrpo {

EngineThread::EngineThread(Napi::Env env)
    : settle_(Settle::New(
          env, "kogrpo engine", 0, 1, this,
          [lifeline = lifeline_](Napi::Env, void*, EngineThread*) {
            const std::lock_guard lock(lifeline->mutex);
            lifeline->gone = true;
          },
          static_cast<void*>(nullptr))) {
  settle_.Unref(env);  // an idle engine does not keep the process alive
  thread_ = std::thread([this] { loop(); });
}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
    if (current_) current_->abort.set();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(lifeline_->mutex);
  if (!lifeline_->gone) settle_.Release();
}

Napi::Promise EngineThread::run(Napi::Object owner, std::shared_ptr<JobControl> control, Work work,
                                Then then) {
  const Napi::Env env = owner.Env();
  auto job = std::make_unique<Job>(Job{Napi::Promise::Deferred::New(env),
                                       Napi::Persistent(owner),
                                       std::move(control),
                                       std::move(work),
                                       then,
                                       {},
                                       {},
                                       {}});
  if (!job->control) job->control = std::make_shared<JobControl>();
  const Napi::Promise promise = job->deferred.Promise();
  if (!thread_.joinable()) {
    job->perform();
    job->settle(env);
    return promise;
  }
  if (pending_++ == 0) settle_.Ref(env);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_all();
  return promise;
}

void EngineThread::Job::perform() {
  try {
    control->abort.check();
    result = work(*control);
  } catch (const Aborted& e) {
    code = "ABORT_ERR";
    error = e.what();
  } catch (const IoError& e) {
    code = "ERR_IO";
    error = e.what();
  } catch (const CommError& e) {
    code = "ERR_RANKS";
    error = e.what();
  } catch (const DeviceMemoryError& e) {
    code = "ERR_OUT_OF_MEMORY";
    error = e.what();
  } catch (const DeviceError& e) {
    code = "ERR_DEVICE";
    error = e.what();
  } catch (const std::invalid_argument& e) {
    code = "ERR_INVALID_ARGUMENT";
    error = e.what();
  } catch (const std::bad_alloc&) {
    code = "ERR_OUT_OF_MEMORY";
    error = "the engine ran out of memory";
  } catch (const std::exception& e) {
    code = "ERR_ENGINE";
    error = e.what();
  } catch (...) {
    code = "ERR_ENGINE";
    error = "unknown error in the engine";
  }
  work = nullptr;
}

void EngineThread::loop() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || ending_ || !queue_.empty(); });
      if (stopping_ || queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      current_ = job->control;
    }
    job->perform();
    {
      const std::lock_guard lock(mutex_);
      current_.reset();
      ending_ = ending_ || job->then == Then::end;
    }
    Job* raw = job.release();
    // The queue has no limit, so this does not wait. Where it takes no more or is gone, so is the
    // environment, and the job is left behind: this is no thread to free its references on.
    const std::lock_guard lock(lifeline_->mutex);
    if (!lifeline_->gone) settle_.BlockingCall(raw);
  }
}

void EngineThread::settle(Napi::Env env, Napi::Function, EngineThread* self, Job* raw) {
  const std::unique_ptr<Job> job(raw);
  if (env == nullptr) return;
  const auto settled = [&](Job& one) {
    if (--self->pending_ == 0) self->settle_.Unref(env);
    one.settle(env);
  };
  const bool ends = job->then == Then::end && self->thread_.joinable();
  if (ends) self->thread_.join();  // it has nothing left to do but to return
  settled(*job);
  if (!ends) return;
  // What came when it had returned already.
  for (const std::unique_ptr<Job>& late : std::exchange(self->queue_, {})) {
    late->perform();
    settled(*late);
  }
}

void EngineThread::Job::settle(Napi::Env env) {
  if (code.empty()) {
    try {
      deferred.Resolve(result(env));
      return;
    } catch (const std::exception& e) {
      code = "ERR_ENGINE";
      error = e.what();
    }
  }
  const Napi::Error thrown = Napi::Error::New(env, error);
  thrown.Value().Set("code", Napi::String::New(env, code));
  deferred.Reject(thrown.Value());
}

}  // namespace kogrpo
