#pragma once
// What ranks say to each other: a handful of collectives on pointers and counts, over NCCL
// (nccl.cpp: a GPU's memory), Gloo (gloo.cpp: the host's) or nothing (single.cpp: one rank).
//
// Every call carries a label ("gradients, step 12"), equal on all ranks. The first call under a
// label is a meeting (Store::meet): it waits for slow ranks as long as they live, and names a rank
// that is dead, frozen, cut off or somewhere else. Data move only when all have come, so the
// transport's own time-out can be short. After an error a communicator is of no further use.
//
// Pointers are of the memory of the attached lane's device (ops/lane.h), and without one of the
// host's. A transport either returns when data have moved (Gloo), or queues the transfer in the
// lane's stream and returns at once (NCCL): then parts of one label do not meet each by itself, and
// what goes wrong later is known to check(), which is asked where the host has waited for results.
//
// There is no reduce-scatter: how one adds depends on the number of ranks. all_to_all moves the
// same bytes and leaves the order of the sum to the caller (engine/data_parallel.h).
//
// Not thread-safe: one thread owns a communicator.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "comm/store.h"
#include "ops/lane.h"

namespace kogrpo {

// A collective that failed: the message names it, and the ranks that it failed for.
struct CommError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Names a collective: what ranks meet for, and which of its parts it is.
struct Label {
  std::string meeting, part;

  Label(std::string meeting_, std::string part_ = {})  // NOLINT: from a text alone
      : meeting(std::move(meeting_)), part(std::move(part_)) {}
  Label(const char* meeting_) : meeting(meeting_) {}  // NOLINT
  std::string text() const { return part.empty() ? meeting : meeting + ", " + part; }
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  virtual std::string name() const = 0;

  // Collectives are called in jobs of this lane from now on, or while it has none. It must outlive
  // the communicator or detach().
  void attach(Lane& lane) { lane_ = &lane; }
  // Ends what still goes on beside the caller; only destruction may follow.
  virtual void detach() {}
  // Throws what queued transfers have failed with. Of use when the host has waited for them.
  virtual void check() {}

  // data[n] becomes the sum over ranks, the same bits on all of them.
  void all_reduce(float* data, size_t n, const Label& label);
  void all_reduce(double* data, size_t n, const Label& label);
  // receive[size·bytes]: every rank's send[bytes], in the order of ranks.
  void all_gather(const void* send, void* receive, size_t bytes, const Label& label);
  // Block d of send[size·bytes] goes to rank d; block s of receive[size·bytes] is from rank s.
  void all_to_all(const void* send, void* receive, size_t bytes, const Label& label);
  // data[bytes] of `root` to all.
  void broadcast(void* data, size_t bytes, int root, const Label& label);
  // Host bytes of any length of every rank, in the order of ranks.
  std::vector<std::vector<uint8_t>> all_gather_bytes(std::span<const uint8_t> mine,
                                                     const Label& label);
  void barrier(const Label& label);
  // How often the ranks have claimed by this key before: each asks when it likes, nobody waits.
  int64_t claim(const std::string& key);

 protected:
  // `store` may be null for one rank.
  Communicator(int rank, int size, std::shared_ptr<Store> store)
      : rank_(rank), size_(size), store_(std::move(store)) {}

  Lane* lane() const { return lane_; }
  // Whether a call only queues its transfer.
  virtual bool queues() const { return false; }
  // The label of the call that is being made.
  const std::string& current() const { return current_; }
  const std::shared_ptr<Store>& store() const { return store_; }
  // Throws CommError: the label, the cause, and the ranks that the store knows to be at fault.
  [[noreturn]] void explain_failure(const std::string& label, const std::string& cause);

  virtual void do_all_reduce(float* data, size_t n) = 0;
  virtual void do_all_reduce(double* data, size_t n) = 0;
  virtual void do_all_gather(const void* send, void* receive, size_t bytes) = 0;
  virtual void do_all_to_all(const void* send, void* receive, size_t bytes) = 0;
  virtual void do_broadcast(void* data, size_t bytes, int root) = 0;
  virtual std::vector<std::vector<uint8_t>> do_all_gather_bytes(std::span<const uint8_t> mine) = 0;
  virtual void do_barrier() = 0;

 private:
  void collective(const Label& label, const std::function<void()>& work);

  int rank_, size_;
  std::shared_ptr<Store> store_;
  Lane* lane_ = nullptr;
  std::string met_;  // the label of the last meeting
  std::string current_;
  std::map<std::string, int64_t> claims_;  // of a rank alone
  bool failed_ = false;
};

// The cause of a failure under `label`, and the ranks that the store (may be null) knows to be at
// fault; never throws StoreError.
std::string explained(Store* store, const std::string& label, const std::string& cause);

// The communicator of a process that is alone.
std::unique_ptr<Communicator> make_single();

// Over TCP between the addresses by which the ranks reach the store (KOGRPO_COMM_INTERFACE names
// another interface). `timeout_s` bounds one transfer. Throws CommError; where the build had no
// Gloo, one that says how to get it.
std::unique_ptr<Communicator> make_gloo(int rank, int size, std::shared_ptr<Store> store,
                                        double timeout_s);
bool has_gloo();

struct NcclOptions {
  double limit_s = 1800;  // a transfer that takes longer is given up even if all ranks are alive
  double patience_s = 3;  // with a rank lost, how long one may go on without coming to its end
  // Makes the GPU current for a further thread; empty: it is the first one.
  std::function<void()> bind_thread = {};
};

// Over NCCL, in the memory of a GPU: the device that is current for this thread. A lane with a
// stream must be attached before the first collective; bytes of the host go through its device.
// While transfers are queued a thread looks after them: an error of NCCL, a rank that the store
// knows to be lost, or the limit ends them all (ncclCommAbort), and check() says why. So it is with
// the meeting of the GPUs: throws CommError.
std::unique_ptr<Communicator> make_nccl(int rank, int size, std::shared_ptr<Store> store,
                                        const NcclOptions& options = {});

// Between devices with memory of their own over NCCL, else over Gloo; alone over nothing.
std::unique_ptr<Communicator> connect_ranks(const StoreOptions& options, const Device& device);

// The NCCL that would be used: its version and file, or why there is none; never throws.
struct NcclStatus {
  bool usable = false;
  std::string text;
};
NcclStatus nccl_status();

}  // namespace kogrpo
