#pragma once
// Jobs that run one after the other beside the thread that hands them in: collectives, while the
// next layer is computed. All ranks hand in the same jobs in the same order, so that they meet.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace kogrpo {

class JobQueue {
 public:
  using Job = std::function<void()>;

  // Without a thread of its own (one rank has nobody to wait for) post() runs the job; what that
  // throws wait() does, all the same.
  explicit JobQueue(bool threaded);
  // Ends the job that is running; drops those that wait.
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // The job's number, for wait(); the first is 1.
  uint64_t post(Job job);
  // Returns when the job has run. Throws what the first failed job threw: none runs after it.
  void wait(uint64_t job);
  void wait_all() { wait(posted_); }
  uint64_t posted() const { return posted_; }

 private:
  void work();
  void run(const Job& job);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::exception_ptr failure_;
  uint64_t posted_ = 0, done_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kogrpo
