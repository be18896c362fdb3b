// Collectives in a GPU's memory over NCCL, queued in the lane's stream. A call returns when it is
// queued. A thread looks after what is under way: every transfer has a mark behind it, and as long
// as the oldest has not been reached NCCL is asked for errors and the store for ranks that are
// lost. Either ends everything (ncclCommAbort), since a kernel that waits for a dead rank would
// wait for ever; what had been waited for is void then, and check() says which collective it was.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "comm/communicator.h"
#include "comm/nccl_api.h"
#include "ops/storage.h"

namespace kogrpo {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// What the thread that calls ncclCommInitRank() has to say.
struct Joining {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false, given_up = false;
  int result = kNcclSuccess;
  NcclComm comm = nullptr;
  std::exception_ptr failure;
};

// The call returns when all ranks have made it, and waits without end for one that has ended
// before. Nothing interrupts it: it has a thread of its own, which is left to itself when all is
// given up.
NcclComm join_ranks(const std::shared_ptr<const NcclApi>& api, int rank, int size,
                    const NcclUniqueId& id, Store* store, const NcclOptions& options) {
  constexpr auto kInterval = std::chrono::milliseconds(20);
  const auto joining = std::make_shared<Joining>();
  std::thread([joining, api, rank, size, id, bind = options.bind_thread] {
    int result = kNcclSuccess;
    NcclComm comm = nullptr;
    std::exception_ptr failure;
    try {
      if (bind) bind();
      result = api->comm_init_rank(&comm, size, id, rank);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(joining->mutex);
    if (joining->given_up && comm) api->comm_abort(std::exchange(comm, nullptr));
    joining->result = result;
    joining->comm = comm;
    joining->failure = failure;
    joining->done = true;
    joining->changed.notify_all();
  }).detach();
  const Clock::time_point begin = Clock::now();
  std::unique_lock lock(joining->mutex);
  while (!joining->changed.wait_for(lock, kInterval, [&] { return joining->done; })) {
    std::string cause;
    if (since(begin) > options.patience_s && store) cause = store->lost();
    if (cause.empty() && since(begin) > options.limit_s)
      cause = "ncclCommInitRank took longer than " +
              std::to_string(static_cast<int64_t>(options.limit_s)) + " s";
    if (cause.empty()) continue;
    joining->given_up = true;
    throw std::runtime_error(cause);
  }
  if (joining->failure) std::rethrow_exception(joining->failure);
  if (joining->result != kNcclSuccess)
    throw std::runtime_error(std::string("ncclCommInitRank: ") +
                             api->get_error_string(joining->result));
  return joining->comm;
}

class Nccl final : public Communicator {
 public:
  Nccl(int rank, int size, std::shared_ptr<Store> store, const NcclOptions& options)
      : Communicator(rank, size, store), api_(NcclApi::load()), options_(options) {
    NcclUniqueId id{};
    if (rank == 0) {
      require(api_->get_unique_id(&id), "ncclGetUniqueId");
      if (store) store->set("nccl", {id.internal, sizeof id.internal});
    } else {
      store->get("nccl").copy(id.internal, sizeof id.internal);
    }
    comm_ = join_ranks(api_, rank, size, id, store.get(), options);
  }
  ~Nccl() override {
    Nccl::detach();
    if (comm_) api_->comm_destroy(comm_);
  }
  std::string name() const override { return "nccl"; }

  // What is under way gets some seconds to end; after that somebody has not taken part.
  void detach() override {
    constexpr double kEnd = 5;
    if (!watch_.joinable()) return;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::duration<double>(kEnd),
                      [&] { return under_way_.empty() || !cause_.empty(); });
    if (!under_way_.empty() && cause_.empty()) give_up("the rank ended before it", lock);
    stopping_ = true;
    lock.unlock();
    changed_.notify_all();
    watch_.join();
  }

  void check() override {
    const std::lock_guard lock(mutex_);
    if (!cause_.empty()) explain_failure(failed_label_, cause_);
  }

 private:
  struct Transfer {
    uint64_t mark;
    std::string label;
    Clock::time_point begin;
  };

  void require(int result, const char* call) const {
    if (result != kNcclSuccess && result != kNcclInProgress)
      throw std::runtime_error(std::string(call) + ": " + api_->get_error_string(result));
  }

  // Queues what `calls` asks of NCCL, and the mark behind it.
  template <class Calls>
  void queue(Calls&& calls) {
    if (!lane()) throw std::logic_error("NCCL needs a lane: attach one");
    {
      const std::lock_guard lock(mutex_);
      if (!cause_.empty()) explain_failure(failed_label_, cause_);
      calls();
      under_way_.push_back({lane()->mark(), current(), Clock::now()});
      if (!watch_.joinable()) watch_ = std::thread([this] { watch(); });
    }
    changed_.notify_all();
  }

  void watch() {
    constexpr auto kInterval = std::chrono::milliseconds(20);
    lane()->bind_thread();
    std::unique_lock lock(mutex_);
    Clock::time_point progress = Clock::now();
    while (!stopping_) {
      if (under_way_.empty() || !cause_.empty()) {
        changed_.wait(lock);
        progress = Clock::now();
        continue;
      }
      while (!under_way_.empty() && lane()->reached(under_way_.front().mark)) {
        under_way_.pop_front();
        progress = Clock::now();
      }
      if (under_way_.empty()) {
        changed_.notify_all();
        continue;
      }
      int error = kNcclSuccess;
      const int asked = api_->comm_get_async_error(comm_, &error);
      if (asked != kNcclSuccess) error = asked;
      if (error != kNcclSuccess && error != kNcclInProgress) {
        give_up(std::string("NCCL: ") + api_->get_error_string(error), lock);
      } else if (since(progress) > options_.patience_s && store() && !store()->lost().empty()) {
        give_up(store()->lost(), lock);
      } else if (since(under_way_.front().begin) > options_.limit_s) {
        give_up(
            "it took longer than " + std::to_string(static_cast<int64_t>(options_.limit_s)) + " s",
            lock);
      } else {
        changed_.wait_for(lock, kInterval);
      }
    }
  }

  // The cause is known before any stream goes on with what has not come.
  void give_up(const std::string& cause, std::unique_lock<std::mutex>& lock) {
    cause_ = cause;
    failed_label_ = under_way_.front().label;
    const NcclComm comm = std::exchange(comm_, nullptr);
    lock.unlock();
    api_->comm_abort(comm);
    lock.lock();
    changed_.notify_all();
  }

  bool queues() const override { return true; }

  void sum(void* data, size_t n, NcclType type) {
    queue([&] {
      require(api_->all_reduce(data, data, n, type, kNcclSum, comm_, lane()->stream()),
              "ncclAllReduce");
    });
  }
  void do_all_reduce(float* data, size_t n) override { sum(data, n, kNcclFloat32); }
  void do_all_reduce(double* data, size_t n) override { sum(data, n, kNcclFloat64); }

  void do_all_gather(const void* send, void* receive, size_t bytes) override {
    queue([&] {
      require(api_->all_gather(send, receive, bytes, kNcclUint8, comm_, lane()->stream()),
              "ncclAllGather");
    });
  }
  // As NCCL's manual has it ("Point-to-point communication"): one group of sends and receives.
  void do_all_to_all(const void* send, void* receive, size_t bytes) override {
    queue([&] {
      require(api_->group_start(), "ncclGroupStart");
      for (int r = 0; r < size(); ++r) {
        const size_t at = bytes * static_cast<size_t>(r);
        require(api_->send(static_cast<const char*>(send) + at, bytes, kNcclUint8, r, comm_,
                           lane()->stream()),
                "ncclSend");
        require(api_->receive(static_cast<char*>(receive) + at, bytes, kNcclUint8, r, comm_,
                              lane()->stream()),
                "ncclRecv");
      }
      require(api_->group_end(), "ncclGroupEnd");
    });
  }
  void do_broadcast(void* data, size_t bytes, int root) override {
    queue([&] {
      require(api_->broadcast(data, data, bytes, kNcclUint8, root, comm_, lane()->stream()),
              "ncclBroadcast");
    });
  }

  // Through the device: lengths first, then everybody's bytes in rooms of the longest.
  std::vector<std::vector<uint8_t>> do_all_gather_bytes(std::span<const uint8_t> mine) override {
    const auto ranks = static_cast<size_t>(size());
    const uint64_t length = mine.size();
    std::vector<uint64_t> lengths(ranks);
    gather_host(&length, sizeof length, lengths.data(), sizeof length);
    uint64_t longest = 0;
    for (const uint64_t n : lengths) longest = std::max(longest, n);
    std::vector<uint8_t> all(longest * ranks);
    if (longest > 0) gather_host(mine.data(), mine.size(), all.data(), longest);
    std::vector<std::vector<uint8_t>> parts;
    for (size_t r = 0; r < ranks; ++r) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(longest * r);
      parts.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(lengths[r]));
    }
    return parts;
  }
  void do_barrier() override { do_all_gather_bytes({}); }

  // all[size · room]: every rank's mine[bytes] at the start of its room.
  void gather_host(const void* mine, size_t bytes, void* all, size_t room) {
    if (!lane()) throw std::logic_error("NCCL needs a lane: attach one");
    const size_t rooms = room * static_cast<size_t>(size());
    const auto words = static_cast<int64_t>((room + rooms + 3) / 4);
    auto* const send =
        static_cast<char*>(staging_.reserve(lane()->device(), DType::i32, 1, words).data);
    lane()->upload(send, mine, bytes);
    do_all_gather(send, send + room, room);
    lane()->download(all, send + room, rooms);
    check();
  }

  std::shared_ptr<const NcclApi> api_;
  NcclOptions options_;
  NcclComm comm_ = nullptr;
  Storage staging_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Transfer> under_way_;
  std::string cause_, failed_label_;  // of the first failure
  bool stopping_ = false;
  std::thread watch_;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl(int rank, int size, std::shared_ptr<Store> store,
                                        const NcclOptions& options) {
  const std::string label = "connecting the GPUs";
  try {
    if (size > 1) store->meet(label);
    return std::make_unique<Nccl>(rank, size, store, options);
  } catch (const CommError&) {
    throw;
  } catch (const StoreError& e) {
    throw CommError(label + ": " + e.what());
  } catch (const std::exception& e) {
    throw CommError(explained(store.get(), label, e.what()));
  }
}

std::unique_ptr<Communicator> connect_ranks(const StoreOptions& o, const Device& device) {
  if (o.size == 1) return make_single();
  std::shared_ptr<Store> store;
  try {
    store = connect_store(o);
  } catch (const StoreError& e) {
    throw CommError(e.what());
  }
  if (device.memory().total > 0)
    return make_nccl(o.rank, o.size, std::move(store),
                     {.limit_s = o.limit_s, .bind_thread = [&device] { device.bind_thread(); }});
  return make_gloo(o.rank, o.size, std::move(store), o.patience_s);
}

NcclStatus nccl_status() {
  try {
    const auto api = NcclApi::load();
    int version = 0;
    if (api->get_version(&version) != kNcclSuccess) return {false, "ncclGetVersion failed"};
    return {true, std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) +
                      "." + std::to_string(version % 100) + " (" + api->path() + ")"};
  } catch (const std::exception& e) {
    return {false, e.what()};
  }
}

}  // namespace kogrpo
