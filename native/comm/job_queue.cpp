#include "comm/job_queue.h"

#include <utility>

namespace kogrpo {

JobQueue::JobQueue(bool threaded) {
  if (threaded) thread_ = std::thread([this] { work(); });
}

JobQueue::~JobQueue() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

uint64_t JobQueue::post(Job job) {
  ++posted_;
  if (!thread_.joinable()) {
    if (!failure_) run(job);
    return posted_;
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
  return posted_;
}

void JobQueue::wait(uint64_t job) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_ >= job || failure_; });
  if (failure_) std::rethrow_exception(failure_);
}

void JobQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || (!jobs_.empty() && !failure_); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    run(job);
    lock.lock();
  }
}

void JobQueue::run(const Job& job) {
  std::exception_ptr failure;
  try {
    job();
  } catch (...) {
    failure = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  if (failure)
    failure_ = failure;
  else
    ++done_;
  changed_.notify_all();
}

}  // namespace kogrpo
