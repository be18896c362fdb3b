// Collectives in device memory over NCCL, on a stream of the caller's. Each returns when the device
// has done it: `finished` tells whether the stream is idle, and NCCL is asked for errors meanwhile;
// a transfer that takes too long is aborted. Bytes on the host go over the host's communicator.
#include <chrono>
#include <thread>

#include "comm/communicator.h"
#include "comm/nccl_api.h"

namespace kogrpo {
namespace {

class Nccl final : public Communicator {
 public:
  Nccl(int rank, int size, std::shared_ptr<Store> store, std::unique_ptr<Communicator> host,
       DeviceStream device, double timeout_s)
      : Communicator(rank, size, store),
        api_(NcclApi::load()),
        host_(std::move(host)),
        device_(std::move(device)),
        timeout_s_(timeout_s) {
    NcclUniqueId id{};
    if (rank == 0) {
      check(api_->get_unique_id(&id), "ncclGetUniqueId");
      if (store) store->set("nccl", {id.internal, sizeof id.internal});
    } else {
      store->get("nccl").copy(id.internal, sizeof id.internal);
    }
    check(api_->comm_init_rank(&comm_, size, id, rank), "ncclCommInitRank");
  }
  ~Nccl() override {
    if (comm_) api_->comm_destroy(comm_);
  }
  std::string name() const override { return "nccl"; }

 private:
  void check(int result, const char* call) const {
    if (result != kNcclSuccess && result != kNcclInProgress)
      throw std::runtime_error(std::string(call) + ": " + api_->get_error_string(result));
  }

  void abort() {
    api_->comm_abort(comm_);
    comm_ = nullptr;
  }

  void wait(const char* call) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s_);
    while (!device_.finished()) {
      int error = kNcclSuccess;
      check(api_->comm_get_async_error(comm_, &error), "ncclCommGetAsyncError");
      if (error != kNcclSuccess && error != kNcclInProgress) {
        abort();
        check(error, call);
      }
      if (std::chrono::steady_clock::now() > deadline) {
        abort();
        throw std::runtime_error(std::string(call) + " took longer than " +
                                 std::to_string(timeout_s_) + " s");
      }
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  void sum(void* data, size_t n, NcclType type) {
    check(api_->all_reduce(data, data, n, type, kNcclSum, comm_, device_.stream), "ncclAllReduce");
    wait("ncclAllReduce");
  }
  void do_all_reduce(float* data, size_t n) override { sum(data, n, kNcclFloat32); }
  void do_all_reduce(double* data, size_t n) override { sum(data, n, kNcclFloat64); }

  void do_all_gather(const void* send, void* receive, size_t bytes) override {
    check(api_->all_gather(send, receive, bytes, kNcclUint8, comm_, device_.stream),
          "ncclAllGather");
    wait("ncclAllGather");
  }
  // As NCCL's manual has it ("Point-to-point communication"): one group of sends and receives.
  void do_all_to_all(const void* send, void* receive, size_t bytes) override {
    check(api_->group_start(), "ncclGroupStart");
    for (int r = 0; r < size(); ++r) {
      const size_t at = bytes * static_cast<size_t>(r);
      check(api_->send(static_cast<const char*>(send) + at, bytes, kNcclUint8, r, comm_,
                       device_.stream),
            "ncclSend");
      check(api_->receive(static_cast<char*>(receive) + at, bytes, kNcclUint8, r, comm_,
                          device_.stream),
            "ncclRecv");
    }
    check(api_->group_end(), "ncclGroupEnd");
    wait("ncclSend, ncclRecv");
  }
  void do_broadcast(void* data, size_t bytes, int root) override {
    check(api_->broadcast(data, data, bytes, kNcclUint8, root, comm_, device_.stream),
          "ncclBroadcast");
    wait("ncclBroadcast");
  }
  std::vector<std::vector<uint8_t>> do_all_gather_bytes(std::span<const uint8_t> mine) override {
    return host_->all_gather_bytes(mine, "bytes of the host");
  }
  void do_barrier() override { host_->barrier("barrier of the host"); }

  std::shared_ptr<const NcclApi> api_;
  std::unique_ptr<Communicator> host_;
  DeviceStream device_;
  double timeout_s_;
  NcclComm comm_ = nullptr;
};

}  // namespace

std::unique_ptr<Communicator> make_nccl(int rank, int size, std::shared_ptr<Store> store,
                                        std::unique_ptr<Communicator> host, DeviceStream device,
                                        double timeout_s) {
  const std::string label = "connecting the GPUs";
  try {
    if (size > 1) store->meet(label);
    return std::make_unique<Nccl>(rank, size, store, std::move(host), std::move(device), timeout_s);
  } catch (const CommError&) {
    throw;
  } catch (const std::exception& e) {
    throw CommError(label + ": " + e.what());
  }
}

}  // namespace kogrpo
