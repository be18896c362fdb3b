// Embedding look-up and its gradient. The gradient walks the tokens in order, so each row of the
// table is a chain of additions in token order; columns are independent.

namespace kogrpo::KOGRPO_ISA {

inline void embedding_forward(const EmbeddingForward& a, Range tokens) {
  const int32_t* ids = a.ids.i32();
  for (int64_t t = tokens.begin; t < tokens.end; ++t)
    std::memcpy(a.out.element(t * a.out.stride), a.table.element(ids[t] * a.table.stride),
                size_t(a.table.cols) * size_of(a.table.dtype));
}

inline void embedding_backward(const EmbeddingBackward& a, Range columns_of_16) {
  const int32_t* ids = a.ids.i32();
  const int64_t begin = columns_of_16.begin * kLanes;
  const int64_t limit = columns_of_16.end * kLanes;
  const int64_t end = limit < a.dtable.cols ? limit : a.dtable.cols;
  for (int64_t t = 0; t < a.ids.cols; ++t) {
    const float* dout = a.dout.row(t);
    float* drow = a.dtable.row(ids[t]);
    int64_t c = begin;
    for (; c + kLanes <= end; c += kLanes) store(drow + c, add(load(drow + c), load(dout + c)));
    if (c < end) {
      const int n = int(end - c);
      store_first(n, drow + c, add(load_first(n, drow + c), load_first(n, dout + c)));
    }
  }
}

}  // namespace kogrpo::KOGRPO_ISA
