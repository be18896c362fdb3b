"""What the golden scripts share: the counter-based initialiser and Qwen3 models of `transformers`.

The initialiser needs no file to be reproduced in another language. It defines element i (row-major
index) of the parameter with Hugging Face name `name` as follows.

  block b      = i div 4,  lane = i mod 4
  key          = (seed mod 2^32, seed div 2^32)                                 64-bit seed
  counter      = (b mod 2^32, b div 2^32, fnv1a32(name), 0)
  w0 w1 w2 w3  = Philox4x32-10(counter, key)          Salmon et al., SC'11 (Random123 constants)
  u_j          = ((w_j >> 8) + 0.5) * 2^-24                     in (0, 1), exact in double precision
  n0, n1       = sqrt(-2 ln u0) * cos(2 pi u1),  sqrt(-2 ln u0) * sin(2 pi u1)        Box and Muller
  n2, n3       = sqrt(-2 ln u2) * cos(2 pi u3),  sqrt(-2 ln u2) * sin(2 pi u3)
  matrices     value = float32(std * n_lane)
  norm weights value = float32(1 + norm_scale * n_lane)              exactly 1 where norm_scale is 0

fnv1a32 hashes the UTF-8 bytes of the name (offset 2166136261, prime 16777619). All arithmetic from
u_j on is double precision, std and norm_scale are doubles, and there is one rounding to float32 at
the end; a difference of one ulp between two mathematical libraries' log, cos and sin therefore
changes a value only where it straddles a float32 rounding boundary (about one in 2^28).
Matrices are the token embedding, all projections and the head (which a tied model does not have);
norm weights are the 1-dimensional parameters, the per-head q_norm and k_norm included.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

_CHUNK_BLOCKS = 1 << 16  # Philox blocks handled at once: the working set stays in the cache
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def fnv1a32(name: str) -> int:
    """The 32-bit FNV-1a hash of a name's UTF-8 bytes."""
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def philox4x32_10(counter: list[np.ndarray], key: tuple[int, int]) -> list[np.ndarray]:
    """Ten rounds of Philox4x32 over arrays of counters (each word a uint64 array below 2^32)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0 = c0 * np.uint64(0xD2511F53)
        p1 = c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            p1 & _MASK,
            (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            p0 & _MASK,
        )
        k0 = (k0 + 0x9E3779B9) & 0xFFFFFFFF
        k1 = (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def _check_philox() -> None:
    # Known answers of Random123's kat_vectors for philox4x32 with 10 rounds.
    def one(counter: list[int], key: tuple[int, int]) -> list[int]:
        return [int(w[0]) for w in philox4x32_10([np.array([c], np.uint64) for c in counter], key)]

    assert one([0] * 4, (0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 0xFFFFFFFF
    assert one([ones] * 4, (ones, ones)) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


_check_philox()


def normals(name: str, count: int, seed: int) -> np.ndarray:
    """The first `count` standard normals of a parameter, in double precision."""
    blocks = -(-count // 4)
    out = np.empty((blocks, 4))
    name_hash = fnv1a32(name)
    key = (seed & 0xFFFFFFFF, seed >> 32)

    def fill(start: int) -> None:
        stop = min(start + _CHUNK_BLOCKS, blocks)
        block = np.arange(start, stop, dtype=np.uint64)
        words = philox4x32_10(
            [
                block & _MASK,
                block >> _SHIFT,
                np.full(block.shape, name_hash, np.uint64),
                np.zeros(block.shape, np.uint64),
            ],
            key,
        )
        u = [((w >> np.uint64(8)).astype(np.float64) + 0.5) * 2.0**-24 for w in words]
        for pair in (0, 2):
            radius = np.sqrt(-2.0 * np.log(u[pair]))
            angle = (2.0 * math.pi) * u[pair + 1]
            out[start:stop, pair] = radius * np.cos(angle)
            out[start:stop, pair + 1] = radius * np.sin(angle)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(0, blocks, _CHUNK_BLOCKS)))
    return out.reshape(-1)[:count]


def initial_value(name: str, shape: tuple[int, ...], init: dict) -> np.ndarray:
    """One parameter at init = {seed, std, normScale}, float32."""
    z = normals(name, math.prod(shape), init["seed"])
    values = 1.0 + init["normScale"] * z if len(shape) == 1 else init["std"] * z
    return values.astype(np.float32).reshape(shape)


def build_model(config: dict, init: dict, attention: str = "eager") -> Qwen3ForCausalLM:
    """A float32 Qwen3 model of a config.json's contents, initialised by the rule above."""
    hf_config = Qwen3Config.from_dict(dict(config))
    hf_config._attn_implementation = attention
    theta = hf_config.rope_parameters["rope_theta"]
    assert theta == config["rope_theta"], f"rope_theta was read as {theta}"
    with torch.device("meta"):
        model = Qwen3ForCausalLM(hf_config)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    model = model.to(torch.float32).to_empty(device="cpu")
    model.tie_weights()
    # Buffers made on the meta device hold nothing: the rotary embedding is built again.
    model.model.rotary_emb = type(model.model.rotary_emb)(hf_config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(initial_value(name, shapes[name], init)))
    if config["tie_word_embeddings"]:
        assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    return model.train()


def config_of(
    *,
    hidden: int,
    layers: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    intermediate: int,
    vocab: int,
    tied: bool,
    initializer_range: float = 0.02,
) -> dict:
    """config.json as the Qwen3 releases write it, for another geometry."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "head_dim": head_dim,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": initializer_range,
        "intermediate_size": intermediate,
        "max_position_embeddings": 2048,
        "max_window_layers": layers,
        "model_type": "qwen3",
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": None,
        "tie_word_embeddings": tied,
        "torch_dtype": "float32",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": vocab,
    }


TINY_TIED = config_of(
    hidden=64, layers=2, heads=4, kv_heads=2, head_dim=16, intermediate=96, vocab=97, tied=True
)
TINY_UNTIED = config_of(
    hidden=80, layers=3, heads=5, kv_heads=1, head_dim=32, intermediate=112, vocab=131, tied=False
)
BENCH = config_of(
    hidden=256, layers=4, heads=8, kv_heads=4, head_dim=32, intermediate=768, vocab=2048, tied=True
)
QWEN3_0_6B = {
    **config_of(
        hidden=1024,
        layers=28,
        heads=16,
        kv_heads=8,
        head_dim=128,
        intermediate=3072,
        vocab=151936,
        tied=True,
    ),
    "max_position_embeddings": 40960,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "torch_dtype": "bfloat16",
}


def digits(value: float | torch.Tensor, significant: int = 8) -> float:
    """Rounded to so many significant digits: keeps the committed files small."""
    number = value.item() if isinstance(value, torch.Tensor) else value
    return float(f"{number:.{significant}g}")
