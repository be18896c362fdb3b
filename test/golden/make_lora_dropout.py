"""Golden LoRA training with dropout: PEFT's adapters on torch under masks that the engine states.

    python test/golden/make_lora_dropout.py        writes test/golden/lora_dropout.json

As make_lora.py, with lora_dropout; where PEFT has put its nn.Dropout (one for each projection) stands
a module that multiplies by the mask of native/ops/ops.h's Dropout, made here in Python: Philox words
of counter (column/4, 8 · layer + projection, identity low, identity high) under the key XXH64(seed,
step), the identity of a token being XXH64(identity of the one before, token).
"""

from __future__ import annotations

import re
from pathlib import Path

import make_lora
import numpy as np
import reference as ref
import torch

LORA = {**make_lora.LORA, "lora_dropout": 0.3}
TARGETS = LORA["target_modules"]
MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def rotate(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (64 - bits))) & MASK


def xxh64(a: int, b: int) -> int:
    """XXH64 of two 64-bit words, seed 0."""
    h = (P5 + 16) & MASK
    for word in (a, b):
        h ^= rotate(word * P2 & MASK, 31) * P1 & MASK
        h = (rotate(h, 27) * P1 + P4) & MASK
    h = (h ^ (h >> 33)) * P2 & MASK
    h = (h ^ (h >> 29)) * P3 & MASK
    return h ^ (h >> 32)


class GivenDropout(torch.nn.Module):
    """nn.Dropout with the mask of the sequence in `identities` and the step in `key`."""

    def __init__(self, place: int):
        super().__init__()
        self.place = place
        self.key = 0
        self.identities: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        rows, cols = x.shape[-2:]
        blocks = np.tile(np.arange(-(-cols // 4), dtype=np.uint64), (rows, 1))
        identity = np.array(self.identities, np.uint64)[:, None] + np.zeros_like(blocks)
        counter = [
            blocks,
            np.full_like(blocks, self.place),
            identity & np.uint64(0xFFFFFFFF),
            identity >> np.uint64(32),
        ]
        words = ref.philox4x32_10(counter, (self.key & 0xFFFFFFFF, self.key >> 32))
        cells = np.stack([w >> np.uint64(8) for w in words], -1).reshape(rows, -1)[:, :cols]
        p = LORA["lora_dropout"]
        kept = (cells >= np.uint64(int(p * 2**24 + 0.5))).astype(np.float32)
        return x * torch.from_numpy(kept / np.float32(1 - p))


def install(model: torch.nn.Module) -> list[GivenDropout]:
    """Puts a GivenDropout where PEFT has a Dropout."""
    made = []
    for name, module in model.named_modules():
        if not hasattr(module, "lora_dropout"):
            continue
        layer = int(re.search(r"layers\.(\d+)\.", name)[1])
        assert isinstance(module.lora_dropout["default"], torch.nn.Dropout)
        assert module.lora_dropout["default"].p == LORA["lora_dropout"]
        module.lora_dropout["default"] = GivenDropout(8 * layer + TARGETS.index(name.split(".")[-1]))
        made.append(module.lora_dropout["default"])
    return made


def main() -> None:
    torch.set_num_threads(2)
    assert xxh64(0, 0) == 0xAF09F71516247C32, hex(xxh64(0, 0))
    installed: list[GivenDropout] = []

    def before(model: torch.nn.Module, step: int, tokens: list[int]) -> None:
        if not installed:
            installed.extend(install(model))
            model.train()
        identities = []
        seen = 0
        for token in tokens:
            seen = xxh64(seen, token)
            identities.append(seen)
        for dropout in installed:
            dropout.key = xxh64(make_lora.SEED, step)
            dropout.identities = identities

    golden = make_lora.train(None, LORA, before)
    make_lora.write(golden, Path(__file__).parent / "lora_dropout.json")


if __name__ == "__main__":
    main()
