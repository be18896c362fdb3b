// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void sample(const Sample&, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
