// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void logits_forward(const LogitsForward&, Range) {}
inline void logits_backward(const LogitsBackward&, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
