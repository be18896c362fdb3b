"""The same work in PyTorch, for scripts/gpu-check: one JSON object per line, as bench.cpp prints.

Scaled dot-product attention (best of the flash and cuDNN backends), the LM head as linear +
log_softmax, fused AdamW. Random data, medians of CUDA events. Needs torch with CUDA.
"""

import json
import statistics

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


def median_ms(work, repeats=15):
    for _ in range(3):
        work()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def report(name, ms, operations):
    print(json.dumps({"name": f"torch: {name}", "ms": round(ms, 5), "value": round(operations / ms * 1e-9, 2),
                      "unit": "TFLOP/s"}), flush=True)


def attention():
    for length in (4096, 8192):
        batch, heads, kv, dim = 16384 // length, 40, 8, 128
        make = lambda h: torch.randn(batch, h, length, dim, device="cuda", dtype=torch.bfloat16, requires_grad=True)
        q, k, v = make(heads), make(kv), make(kv)
        work = 4 * length * length * dim * heads * batch / 2
        for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
            try:
                with sdpa_kernel(backend):
                    run = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
                    report(f"attention_forward {length} {backend.name}", median_ms(run), work)
                    out = run()
                    grad = torch.randn_like(out)
                    back = lambda: torch.autograd.grad(out, (q, k, v), grad, retain_graph=True)
                    report(f"attention_backward {length} {backend.name}", median_ms(back), 2.5 * work)
            except RuntimeError as error:
                print(json.dumps({"name": f"torch: attention {length} {backend.name}", "error": str(error)[:200]}))


def head():
    tokens, hidden, vocab = 8192, 5120, 151936
    x = torch.randn(tokens, hidden, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    w = torch.randn(vocab, hidden, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    targets = torch.randint(vocab, (tokens,), device="cuda")

    def run():
        for part, target in zip(x.split(1024), targets.split(1024)):
            logits = F.linear(part, w).float()
            logp = logits.log_softmax(-1).gather(1, target[:, None]).sum()
            torch.autograd.grad(logp, (part, w))

    report("lm_head forward and backward 8192", median_ms(run, 5), 6 * tokens * hidden * vocab)


def adamw():
    p = torch.randn(1 << 28, device="cuda", requires_grad=True)
    p.grad = torch.randn_like(p)
    optimizer = torch.optim.AdamW([p], lr=1e-6, fused=True)
    ms = median_ms(optimizer.step)
    print(json.dumps({"name": "torch: fused AdamW fp32", "ms": ms, "value": round(p.numel() * 28 / ms * 1e-6, 2),
                      "unit": "GB/s"}), flush=True)


if __name__ == "__main__":
    print(json.dumps({"name": "torch", "text": torch.__version__}))
    attention()
    torch.cuda.empty_cache()
    head()
    torch.cuda.empty_cache()
    adamw()
