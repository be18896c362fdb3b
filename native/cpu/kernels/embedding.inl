// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void embedding_forward(const EmbeddingForward&, Range) {}
inline void embedding_backward(const EmbeddingBackward&, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
