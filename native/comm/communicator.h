#pragma once
// What ranks say to each other: a handful of collectives on pointers and counts, over NCCL
// (nccl.cpp: device memory), Gloo (gloo.cpp: host memory) or nothing (single.cpp: one rank).
//
// Every call carries a label ("gradients, step 12"), equal on all ranks. The first call under a
// label is a meeting (Store::meet): it waits for slow ranks as long as they live, and names a rank
// that is dead, frozen, cut off or somewhere else. Data move only when all have come, so the
// transport's own time-out can be short. After an error a communicator is of no further use.
//
// There is no reduce-scatter: how one adds depends on the number of ranks. all_to_all moves the
// same bytes and leaves the order of the sum to the caller (engine/data_parallel.h).
//
// Not thread-safe: one thread owns a communicator.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "comm/store.h"

namespace kogrpo {

// A collective that failed: the message names it, and the ranks that it failed for.
struct CommError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  virtual std::string name() const = 0;

  // data[n] becomes the sum over ranks, the same bits on all of them.
  void all_reduce(float* data, size_t n, const std::string& label);
  void all_reduce(double* data, size_t n, const std::string& label);
  // receive[size·bytes]: every rank's send[bytes], in the order of ranks.
  void all_gather(const void* send, void* receive, size_t bytes, const std::string& label);
  // Block d of send[size·bytes] goes to rank d; block s of receive[size·bytes] is from rank s.
  void all_to_all(const void* send, void* receive, size_t bytes, const std::string& label);
  // data[bytes] of `root` to all.
  void broadcast(void* data, size_t bytes, int root, const std::string& label);
  // Host bytes of any length of every rank, in the order of ranks.
  std::vector<std::vector<uint8_t>> all_gather_bytes(std::span<const uint8_t> mine,
                                                     const std::string& label);
  void barrier(const std::string& label);

 protected:
  // `store` may be null for one rank.
  Communicator(int rank, int size, std::shared_ptr<Store> store)
      : rank_(rank), size_(size), store_(std::move(store)) {}

  virtual void do_all_reduce(float* data, size_t n) = 0;
  virtual void do_all_reduce(double* data, size_t n) = 0;
  virtual void do_all_gather(const void* send, void* receive, size_t bytes) = 0;
  virtual void do_all_to_all(const void* send, void* receive, size_t bytes) = 0;
  virtual void do_broadcast(void* data, size_t bytes, int root) = 0;
  virtual std::vector<std::vector<uint8_t>> do_all_gather_bytes(std::span<const uint8_t> mine) = 0;
  virtual void do_barrier() = 0;

 private:
  void collective(const std::string& label, const std::function<void()>& work);

  int rank_, size_;
  std::shared_ptr<Store> store_;
  std::string met_;  // the label of the last meeting
  bool failed_ = false;
};

// The communicator of a process that is alone.
std::unique_ptr<Communicator> make_single();

// Over TCP between the addresses by which the ranks reach the store (KOGRPO_COMM_INTERFACE names
// another interface). `timeout_s` bounds one transfer. Throws CommError; where the build had no
// Gloo, one that says how to get it.
std::unique_ptr<Communicator> make_gloo(int rank, int size, std::shared_ptr<Store> store,
                                        double timeout_s);
bool has_gloo();

// A device's stream as NCCL takes it (a cudaStream_t), and whether it is idle.
struct DeviceStream {
  void* stream = nullptr;
  std::function<bool()> finished;
};

// Over NCCL: pointers are of device memory, on the device that is current for this thread. `host`
// is the communicator for bytes on the host, of the same ranks.
std::unique_ptr<Communicator> make_nccl(int rank, int size, std::shared_ptr<Store> store,
                                        std::unique_ptr<Communicator> host, DeviceStream device,
                                        double timeout_s);

}  // namespace kogrpo
