#pragma once
// Work beside a device's operations: what ranks send each other while the next layer is computed.
// Jobs run one after the other, each after what the device had been given when it was posted; what
// the device is given after wait() comes after the job. Where tensors lie in the host's memory a
// job runs on a thread and wait() blocks; on a GPU the job only queues work in a stream of its own,
// wait() orders two streams by an event, and the host goes on.
//
// All ranks post the same jobs in the same order, so that they meet. One thread uses a lane.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "ops/tensor.h"

namespace kogrpo {

class Device;

class Lane {
 public:
  using Job = std::function<void()>;
  virtual ~Lane() = default;

  virtual Device& device() = 0;
  // The job's number, for wait(); the first is 1.
  virtual uint64_t post(Job job) = 0;
  // Throws what the first failed job threw: none runs after it.
  virtual void wait(uint64_t job) = 0;
  void wait_all() { wait(posted()); }
  // Returns when all jobs are done, and what they queued.
  virtual void finish() = 0;
  virtual uint64_t posted() const = 0;

  // For jobs, and for the thread that posts them when all are done. Memory is the device's.
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  // sum[i] = ((sum[i] + parts[0][i]) + parts[1][i]) + …, in fp32 whatever the parts are stored as.
  virtual void add(float* sum, const Tensor& parts) = 0;
  // From and to the host's memory; return when it is done.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;

  // For transports that queue their work: the stream (a cudaStream_t), null where there is none; a
  // mark behind what is in it, and whether that has been reached. The last two on any thread that
  // has called bind_thread().
  virtual void* stream() const { return nullptr; }
  virtual uint64_t mark() { return 0; }
  virtual bool reached(uint64_t) { return true; }
  virtual void bind_thread() {}
};

}  // namespace kogrpo
