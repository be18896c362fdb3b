#pragma once
// Bytes of tensors in files. Headers (names, shapes, offsets) are parsed in TypeScript
// (lib/model/safetensors.ts), where no parser error can corrupt memory; here are only ranges,
// checked against the file's size, and the conversions to and from fp32.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "ops/tensor.h"

namespace kogrpo {

// Reads n elements of `dtype` at `offset` of the file as fp32. Throws IoError for a range that the
// file does not have, before anything is written, and for what is no regular file.
void read_tensor(const std::string& path, int64_t offset, DType dtype, float* out, int64_t n);

// Hands n values to `write` as `dtype`, f32 or bf16 (rounded to nearest, ties to even), piece by
// piece. Throws std::invalid_argument for another type.
void encode_tensor(const float* data, int64_t n, DType dtype,
                   const std::function<void(const void*, size_t)>& write);

// Bytes of a regular file. Throws IoError.
int64_t file_size(const std::string& path);

// Appends tensors to a new file behind `header`, then flushes it to the disk. Throws IoError; a
// file that could not be completed is removed.
class TensorFileWriter {
 public:
  TensorFileWriter(const std::string& path, std::span<const uint8_t> header);
  ~TensorFileWriter();
  TensorFileWriter(const TensorFileWriter&) = delete;
  TensorFileWriter& operator=(const TensorFileWriter&) = delete;

  // As encode_tensor says.
  void append(const float* data, int64_t n, DType dtype);
  void write(const void* data, size_t bytes);
  void finish();

 private:
  explicit TensorFileWriter(const std::string& path);

  std::string path_;
  int fd_ = -1;
};

}  // namespace kogrpo
