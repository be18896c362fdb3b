"""Holds a model written by `kogrpo smooth` against the model it was made from, both in `transformers`.

    python test/golden/check_smooth.py SOURCE SMOOTHED

Used by hand. Both must load without repair. The smoothed one must be untied, its config must name the
settings, and its logits on fixed tokens must be the source's times one factor a vocabulary id: 1 for most
ids, at least min_scale, the same in every position. Prints how many ids are scaled and the largest
deviation relative to the largest logit; fails above 1e-6 (2^-7 where the files are bf16).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def load(directory: Path) -> tuple[torch.nn.Module, dict]:
    model, loading = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    problems = {kind: sorted(map(str, names)) for kind, names in loading.items() if names}
    if problems:
        sys.exit(f"{directory}: transformers had to repair it: {json.dumps(problems)}")
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    return model.eval(), config


def main() -> None:
    source_dir, smoothed_dir = map(Path, sys.argv[1:3])
    source, _ = load(source_dir)
    smoothed, config = load(smoothed_dir)
    settings = config["kogrpo_smooth"]
    if smoothed.config.tie_word_embeddings:
        sys.exit(f"{smoothed_dir}: still tied")
    vocab = source.config.vocab_size
    tokens = torch.tensor([[(k * 7919 + 31) % vocab for k in range(24)]])
    with torch.no_grad():
        before = source(tokens, use_cache=False).logits[0].double()
        after = smoothed(tokens, use_cache=False).logits[0].double()
    # The factor of an id, by least squares over the positions.
    factors = (before * after).sum(0) / (before * before).sum(0)
    worst = ((after - before * factors).abs().max() / before.abs().max()).item()
    untouched = (after == before).all(0)
    print(
        f"{int((~untouched).sum())} of {vocab} ids scaled, by {factors[~untouched].min():.4f} to "
        f"{factors[~untouched].max():.4f} (min_scale {settings['min_scale']}); deviation {worst:.2e}"
    )
    bf16 = config.get("dtype", config.get("torch_dtype")) == "bfloat16"
    if not worst <= (2**-7 if bf16 else 1e-6):
        sys.exit("the logits are not the scaled ones")
    if factors.min() < settings["min_scale"] - 0.01 or factors.max() > 1 + 1e-6:
        sys.exit("a factor is out of range")


if __name__ == "__main__":
    main()
