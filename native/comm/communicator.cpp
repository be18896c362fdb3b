// What all communicators share: the meeting before the first call under a label, and errors that
// name the ranks.
#include "comm/communicator.h"

namespace kogrpo {

void Communicator::collective(const std::string& label, const std::function<void()>& work) {
  if (size_ == 1) return work();
  if (failed_) throw CommError(label + ": an earlier collective of this rank failed");
  try {
    if (label != met_) {
      store_->meet(label);
      met_ = label;
    }
    work();
  } catch (const StoreError& e) {
    failed_ = true;
    throw CommError(label + ": " + e.what());
  } catch (const std::exception& e) {
    failed_ = true;
    std::string why;
    try {
      why = store_->explain(label, e.what());
    } catch (const StoreError& lost) {
      why = std::string(lost.what()) + " (" + e.what() + ")";
    }
    throw CommError(label + ": " + why);
  }
}

void Communicator::all_reduce(float* data, size_t n, const std::string& label) {
  collective(label, [&] { do_all_reduce(data, n); });
}

void Communicator::all_reduce(double* data, size_t n, const std::string& label) {
  collective(label, [&] { do_all_reduce(data, n); });
}

void Communicator::all_gather(const void* send, void* receive, size_t bytes,
                              const std::string& label) {
  collective(label, [&] { do_all_gather(send, receive, bytes); });
}

void Communicator::all_to_all(const void* send, void* receive, size_t bytes,
                              const std::string& label) {
  collective(label, [&] { do_all_to_all(send, receive, bytes); });
}

void Communicator::broadcast(void* data, size_t bytes, int root, const std::string& label) {
  if (root < 0 || root >= size_)
    throw std::invalid_argument(label + ": root " + std::to_string(root) + " of " +
                                std::to_string(size_) + " ranks");
  collective(label, [&] { do_broadcast(data, bytes, root); });
}

std::vector<std::vector<uint8_t>> Communicator::all_gather_bytes(std::span<const uint8_t> mine,
                                                                 const std::string& label) {
  std::vector<std::vector<uint8_t>> all;
  collective(label, [&] { all = do_all_gather_bytes(mine); });
  return all;
}

void Communicator::barrier(const std::string& label) {
  collective(label, [&] { do_barrier(); });
}

}  // namespace kogrpo
