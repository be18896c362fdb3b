#include "engine/rewrite.h"

#include <algorithm>
#include <stdexcept>

#include "engine/tensor_file.h"

namespace kogrpo {
namespace {

constexpr int64_t kBlockFloats = int64_t{1} << 22;  // 16 MiB

}  // namespace

void rewrite_tensors(const std::string& path, std::span<const uint8_t> header,
                     std::span<const TensorSource> sources, DType dtype,
                     const std::function<void()>& on_tensor, const AbortFlag& abort) {
  TensorFileWriter out(path, header);
  std::vector<float> block;
  for (const TensorSource& s : sources) {
    if (s.rows < 0 || s.cols < 1) throw std::invalid_argument("rows and cols must be positive");
    if (!s.row_scale.empty() && static_cast<int64_t>(s.row_scale.size()) != s.rows)
      throw std::invalid_argument("rowScale must have one element per row (" +
                                  std::to_string(s.rows) + "), not " +
                                  std::to_string(s.row_scale.size()));
    const int64_t step = std::max(int64_t{1}, kBlockFloats / s.cols);
    for (int64_t begin = 0; begin < s.rows; begin += step) {
      abort.check();
      const int64_t rows = std::min(step, s.rows - begin), n = rows * s.cols;
      block.resize(static_cast<size_t>(n));
      read_tensor(s.file, s.begin + begin * s.cols * static_cast<int64_t>(size_of(s.dtype)),
                  s.dtype, block.data(), n);
      if (!s.row_scale.empty())
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < s.cols; ++c)
            block[static_cast<size_t>(r * s.cols + c)] *=
                s.row_scale[static_cast<size_t>(begin + r)];
      out.append(block.data(), n, dtype);
    }
    on_tensor();
  }
  out.finish();
}

}  // namespace kogrpo
