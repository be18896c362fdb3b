#include "engine/tensor_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/errors.h"

namespace kogrpo {
namespace {

[[noreturn]] void fail(const std::string& what, const std::string& path) {
  throw IoError(what + " '" + path + "': " + std::strerror(errno));
}

class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open", path);
    struct stat info {};
    if (::fstat(fd, &info) != 0) {
      ::close(fd);
      fail("cannot stat", path);
    }
    size_ = static_cast<size_t>(info.st_size);
    if (size_ > 0) data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    ::close(fd);
    if (data_ == MAP_FAILED) fail("cannot map", path);
  }
  ~MappedFile() {
    if (data_) ::munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return static_cast<const uint8_t*>(data_); }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

template <class T>
T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);  // ranges in a file need not be aligned
  return value;
}

float from_half(uint16_t h) {
  const uint32_t sign = uint32_t(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 31u, fraction = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (fraction << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

uint16_t to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace

void read_tensor(const std::string& path, int64_t offset, DType dtype, float* out, int64_t n) {
  const MappedFile file(path);
  const size_t width = size_of(dtype);
  if (offset < 0 || n < 0 || static_cast<size_t>(offset) > file.size() ||
      static_cast<size_t>(n) > (file.size() - static_cast<size_t>(offset)) / width)
    throw IoError("'" + path + "' ends before the tensor that its header places at byte " +
                  std::to_string(offset) + ": the file is truncated");
  const uint8_t* p = file.data() + offset;
  switch (dtype) {
    case DType::f32:
      std::memcpy(out, p, static_cast<size_t>(n) * 4);
      return;
    case DType::bf16:
      for (int64_t i = 0; i < n; ++i)
        out[i] = std::bit_cast<float>(uint32_t(load<uint16_t>(p + 2 * i)) << 16);
      return;
    case DType::f16:
      for (int64_t i = 0; i < n; ++i) out[i] = from_half(load<uint16_t>(p + 2 * i));
      return;
    case DType::i32:
      break;
  }
  throw std::invalid_argument("weights are read from F32, BF16 or F16 only");
}

TensorFileWriter::TensorFileWriter(const std::string& path, std::span<const uint8_t> header)
    : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("cannot create", path);
  write(header.data(), header.size());
}

TensorFileWriter::~TensorFileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

void TensorFileWriter::append(const float* data, int64_t n, DType dtype) {
  if (dtype == DType::f32) return write(data, static_cast<size_t>(n) * 4);
  constexpr int64_t kBlock = 1 << 20;
  std::vector<uint16_t> block(static_cast<size_t>(std::min(n, kBlock)));
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = std::min(kBlock, n - begin);
    std::transform(data + begin, data + begin + count, block.begin(), to_bf16);
    write(block.data(), static_cast<size_t>(count) * 2);
  }
}

void TensorFileWriter::finish() {
  if (::fsync(fd_) != 0) fail("cannot flush", path_);
  if (::close(std::exchange(fd_, -1)) != 0) fail("cannot close", path_);
}

void TensorFileWriter::write(const void* data, size_t bytes) {
  const auto* p = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write", path_);
    p += n;
    bytes -= static_cast<size_t>(n);
  }
}

}  // namespace kogrpo
