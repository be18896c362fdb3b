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
  thread_.join();
  const std::lock_guard lock(lifeline_->mutex);
  if (!lifeline_->gone) settle_.Release();
}

Napi::Promise EngineThread::run(Napi::Object owner, std::shared_ptr<JobControl> control,
                                Work work) {
  const Napi::Env env = owner.Env();
  auto job = std::make_unique<Job>(Job{Napi::Promise::Deferred::New(env),
                                       Napi::Persistent(owner),
                                       std::move(control),
                                       std::move(work),
                                       {},
                                       {},
                                       {}});
  if (!job->control) job->control = std::make_shared<JobControl>();
  const Napi::Promise promise = job->deferred.Promise();
  if (pending_++ == 0) settle_.Ref(env);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_all();
  return promise;
}

void EngineThread::loop() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      current_ = job->control;
    }
    try {
      job->control->abort.check();
      job->result = job->work(*job->control);
    } catch (const Aborted& e) {
      job->code = "ABORT_ERR";
      job->error = e.what();
    } catch (const IoError& e) {
      job->code = "ERR_IO";
      job->error = e.what();
    } catch (const CommError& e) {
      job->code = "ERR_RANKS";
      job->error = e.what();
    } catch (const DeviceMemoryError& e) {
      job->code = "ERR_OUT_OF_MEMORY";
      job->error = e.what();
    } catch (const DeviceError& e) {
      job->code = "ERR_DEVICE";
      job->error = e.what();
    } catch (const std::invalid_argument& e) {
      job->code = "ERR_INVALID_ARGUMENT";
      job->error = e.what();
    } catch (const std::bad_alloc&) {
      job->code = "ERR_OUT_OF_MEMORY";
      job->error = "the engine ran out of memory";
    } catch (const std::exception& e) {
      job->code = "ERR_ENGINE";
      job->error = e.what();
    } catch (...) {
      job->code = "ERR_ENGINE";
      job->error = "unknown error in the engine";
    }
    job->work = nullptr;
    {
      const std::lock_guard lock(mutex_);
      current_.reset();
    }
    Job* raw = job.release();
    // The queue has no limit, so this does not wait. Once the environment is gone the job is left
    // behind: its references belong to that environment.
    const std::lock_guard lock(lifeline_->mutex);
    if (!lifeline_->gone && settle_.BlockingCall(raw) != napi_ok) job.reset(raw);
  }
}

void EngineThread::settle(Napi::Env env, Napi::Function, EngineThread* self, Job* raw) {
  const std::unique_ptr<Job> job(raw);
  if (env == nullptr) return;
  if (--self->pending_ == 0) self->settle_.Unref(env);
  if (job->code.empty()) {
    try {
      job->deferred.Resolve(job->result(env));
      return;
    } catch (const std::exception& e) {
      job->code = "ERR_ENGINE";
      job->error = e.what();
    }
  }
  const Napi::Error error = Napi::Error::New(env, job->error);
  error.Value().Set("code", Napi::String::New(env, job->code));
  job->deferred.Reject(error.Value());
}

}  // namespace kogrpo
