// (to be written)
namespace kogrpo::KOGRPO_ISA {
inline void attention_forward(const AttentionForward&, float*, Range) {}
inline void attention_backward(const AttentionBackward&, float*, Range) {}
inline void kv_append(const KvAppend&, Range) {}
inline void attention_cached(const AttentionCached&, float*, Range) {}
}  // namespace kogrpo::KOGRPO_ISA
