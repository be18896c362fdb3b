#pragma once
// Streams beside the operations' own (operations_stream.h). A Stream has a thread, which begins
// each piece of work when somebody waits for it (a synchronisation, an event in the operations'
// stream), and else some milliseconds after it was queued: as late as it could be, so that a wait
// that is missing gives wrong numbers, and soon enough that ranks which meet in it come to each
// other.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "cuda_emulation/operations_stream.h"

namespace kogrpo::emulation {

class Stream {
 public:
  Stream();
  // Ends what is running; drops what waits.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // The number of the work, from 1.
  uint64_t queue(std::function<void()> work);
  uint64_t queued();
  bool done(uint64_t work);
  // Returns when it is done. False where any work has failed.
  bool wait(uint64_t work);
  bool finish() { return wait(queued()); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  uint64_t queued_ = 0, done_ = 0, wanted_ = 0;
  bool stopping_ = false, failed_ = false;
  std::thread thread_;
};

struct Event {
  std::mutex mutex;
  Stream* stream = nullptr;  // null: of the operations
  uint64_t work = 0;
  Mark mark;  // in the operations' stream
};

void record(Event& event, Stream* stream);
void wait(Stream* stream, Event& event);
bool reached(Event& event);
// The host's wait.
void wait(Event& event);

inline void on_stream(Stream* stream, std::function<void()> work) {
  if (stream)
    stream->queue(std::move(work));
  else
    on_operations(std::move(work));
}

}  // namespace kogrpo::emulation
