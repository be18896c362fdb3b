#include "cuda_emulation/streams.h"

#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

namespace kogrpo::emulation {
namespace {

constexpr auto kLate = std::chrono::milliseconds(2);

}  // namespace

Stream::Stream() : thread_([this] { run(); }) {}

Stream::~Stream() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

uint64_t Stream::queue(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  work_.push_back(std::move(work));
  changed_.notify_all();
  return ++queued_;
}

uint64_t Stream::queued() {
  const std::lock_guard lock(mutex_);
  return queued_;
}

bool Stream::done(uint64_t work) {
  const std::lock_guard lock(mutex_);
  return done_ >= work;
}

bool Stream::wait(uint64_t work) {
  std::unique_lock lock(mutex_);
  wanted_ = work > wanted_ ? work : wanted_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return done_ >= work; });
  return !failed_;
}

void Stream::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopping_ || !work_.empty(); });
    if (!stopping_) changed_.wait_for(lock, kLate, [&] { return stopping_ || wanted_ > done_; });
    if (stopping_) return;
    const std::function<void()> work = std::move(work_.front());
    work_.pop_front();
    lock.unlock();
    bool failed = false;
    try {
      work();
    } catch (const std::exception& e) {
      std::fprintf(stderr, "emulated stream: %s\n", e.what());
      failed = true;
    }
    lock.lock();
    failed_ = failed_ || failed;
    ++done_;
    changed_.notify_all();
  }
}

void record(Event& event, Stream* stream) {
  const std::lock_guard lock(event.mutex);
  event.stream = stream;
  event.work = stream ? stream->queued() : 0;
  if (!stream) set_mark(event.mark);
}

// The operations' stream stands still until then, and with it the caller.
void wait(Stream* stream, Event& event) {
  Stream* other;
  uint64_t work;
  {
    const std::lock_guard lock(event.mutex);
    other = event.stream;
    work = event.work;
  }
  if (!other && stream) run_operations();  // sooner than it has to be
  if (!other || other == stream) return;
  if (stream)
    stream->queue([other, work] { other->wait(work); });
  else
    other->wait(work);
}

void wait(Event& event) {
  Stream* stream;
  uint64_t work;
  Mark mark;
  {
    const std::lock_guard lock(event.mutex);
    stream = event.stream, work = event.work, mark = event.mark;
  }
  if (stream)
    stream->wait(work);
  else
    wait_for_mark(mark);
}

bool reached(Event& event) {
  const std::lock_guard lock(event.mutex);
  return !event.stream || event.stream->done(event.work);
}

}  // namespace kogrpo::emulation

// For the stand-in of NCCL, which is a library of its own: the work in its turn, or at once.
extern "C" __attribute__((visibility("default"))) void kogrpo_emulation_queue(void* stream,
                                                                              void (*work)(void*),
                                                                              void* argument) {
  kogrpo::emulation::on_stream(static_cast<kogrpo::emulation::Stream*>(stream),
                               [work, argument] { work(argument); });
}
