"""What the peers' benchmarks share: the geometry of the comparison, threads, and JSON lines.

Geometry: hidden 256, 4 layers, 8/4 heads of 32, intermediate 768, vocabulary 2,048, tied, float32.
Every script prints one JSON object a line: {mode, variant, peer, threads, tokens, repeats, seconds
{median, min, max}, tokens_per_s {median, min, max}, versions}.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

THREADS_DEFAULT = 2


def arguments(description: str, repeats: int) -> argparse.Namespace:
    """Options of every script. Called before torch is imported, so that OpenMP sees the threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=THREADS_DEFAULT)
    parser.add_argument("--repeats", type=int, default=repeats, help="timed runs after warm-up")
    parser.add_argument("--variants", nargs="*", help="only these variants")
    parser.add_argument("--warm-up", type=int, default=3, help="untimed runs (training)")
    parser.add_argument("--geometry", help="a config.json (training)")
    parser.add_argument("--batch", type=int, default=16, help="sequences (training)")
    parser.add_argument("--seq", type=int, default=256, help="tokens of a sequence (training)")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    return options


def bench_config() -> dict:
    """Keyword arguments of Qwen3Config for the geometry."""
    return {
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 32,
        "intermediate_size": 768,
        "vocab_size": 2048,
        "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"},
        "bos_token_id": None,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }


def geometry(file: str | None) -> dict:
    """Keyword arguments of Qwen3Config: the comparison's, or those of a config.json."""
    if file is None:
        return bench_config()
    with open(file, encoding="utf-8") as text:
        config = json.load(text)
    theta = config.pop("rope_theta")
    drop = ("architectures", "model_type", "torch_dtype")
    config = {key: value for key, value in config.items() if key not in drop}
    return {**config, "rope_parameters": {"rope_theta": theta, "rope_type": "default"}}


def build_model(attention: str = "sdpa", config: dict | None = None):
    """The randomly initialised float32 model."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(**(config or bench_config()))
    config._attn_implementation = attention
    return Qwen3ForCausalLM(config).to(torch.float32)


def measure(run: Callable[[], None], repeats: int, warm_up: int = 1) -> list[float]:
    """Wall-clock seconds of each timed run."""
    for _ in range(warm_up):
        run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(values: list[float]) -> dict:
    """Median, smallest and largest."""
    return {
        "median": round(statistics.median(values), 5),
        "min": round(min(values), 5),
        "max": round(max(values), 5),
    }


def emit(mode: str, variant: str, tokens: int, seconds: list[float], threads: int) -> None:
    """Prints one result line."""
    import torch
    import transformers

    line = {
        "mode": mode,
        "peer": "trl" if mode == "grpo" else "torch",
        "variant": variant,
        "threads": threads,
        "tokens": tokens,
        "repeats": len(seconds),
        "seconds": spread(seconds),
        "tokens_per_s": spread([tokens / s for s in seconds]),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    if mode == "grpo":
        import trl

        line["versions"]["trl"] = trl.__version__
    print(json.dumps(line), flush=True)


def wanted(options: argparse.Namespace, variant: str) -> bool:
    """Whether the command line asks for a variant."""
    return not options.variants or variant in options.variants
