// What all communicators share: the meeting before the first call under a label, and errors that
// name the ranks.
#include "comm/communicator.h"

namespace kogrpo {

void Communicator::collective(const Label& label, const std::function<void()>& work) {
  const std::string text = label.text();
  current_ = text;
  if (size_ == 1) return work();
  if (failed_) throw CommError(text + ": an earlier collective of this rank failed");
  try {
    if (const std::string& meeting = queues() ? label.meeting : text; meeting != met_) {
      store_->meet(meeting);
      met_ = meeting;
    }
    work();
  } catch (const CommError&) {  // it names the collective already
    failed_ = true;
    throw;
  } catch (const StoreError& e) {
    failed_ = true;
    throw CommError(text + ": " + e.what());
  } catch (const std::exception& e) {
    explain_failure(text, e.what());
  }
}

std::string explained(Store* store, const std::string& label, const std::string& cause) {
  try {
    return label + ": " + (store ? store->explain(label, cause) : cause);
  } catch (const StoreError& lost) {
    return label + ": " + lost.what() + " (" + cause + ")";
  }
}

void Communicator::explain_failure(const std::string& label, const std::string& cause) {
  failed_ = true;
  throw CommError(explained(store_.get(), label, cause));
}

void Communicator::all_reduce(float* data, size_t n, const Label& label) {
  collective(label, [&] { do_all_reduce(data, n); });
}

void Communicator::all_reduce(double* data, size_t n, const Label& label) {
  collective(label, [&] { do_all_reduce(data, n); });
}

void Communicator::all_gather(const void* send, void* receive, size_t bytes, const Label& label) {
  collective(label, [&] { do_all_gather(send, receive, bytes); });
}

void Communicator::all_to_all(const void* send, void* receive, size_t bytes, const Label& label) {
  collective(label, [&] { do_all_to_all(send, receive, bytes); });
}

void Communicator::broadcast(void* data, size_t bytes, int root, const Label& label) {
  if (root < 0 || root >= size_)
    throw std::invalid_argument(label.text() + ": root " + std::to_string(root) + " of " +
                                std::to_string(size_) + " ranks");
  collective(label, [&] { do_broadcast(data, bytes, root); });
}

std::vector<std::vector<uint8_t>> Communicator::all_gather_bytes(std::span<const uint8_t> mine,
                                                                 const Label& label) {
  std::vector<std::vector<uint8_t>> all;
  collective(label, [&] { all = do_all_gather_bytes(mine); });
  return all;
}

void Communicator::barrier(const Label& label) {
  collective(label, [&] { do_barrier(); });
}

int64_t Communicator::claim(const std::string& key) {
  if (size_ == 1) return claims_[key]++;
  if (failed_) throw CommError(key + ": an earlier collective of this rank failed");
  try {
    return store_->count(key);
  } catch (const StoreError& e) {
    failed_ = true;
    throw CommError(key + ": " + e.what());
  }
}

}  // namespace kogrpo
