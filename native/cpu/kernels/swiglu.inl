// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void swiglu_forward(const SwigluForward&, Range) {}
inline void swiglu_backward(const SwigluBackward&, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
