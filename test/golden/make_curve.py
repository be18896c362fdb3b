"""Golden loss curve: 50 supervised steps of the tiny tied geometry under torch's AdamW.

    python test/golden/make_curve.py

writes test/golden/curve.json. Each step trains on four sequences of different lengths that follow an
affine rule modulo the vocabulary (so that the loss falls) with its own start per sequence; the first
five targets of a sequence are not trained, as a prompt would not be. Loss: mean of -log p over the
step's trained tokens. Weight decay applies to matrices (embedding included), not to norm weights;
clipping is torch.nn.utils.clip_grad_norm_, whose factor is min(1, max / (norm + 1e-6)).

The file: config, init, optimizer {learningRate, beta1, beta2, epsilon, weightDecay, maxGradNorm},
steps [{tokens, cuSeqlens, coef, loss, gradNorm}] with coef[t] = dL/dlogprobs[t] and gradNorm the norm
before clipping, and final [[parameter, sum, norm]] after the last step.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

import reference as ref

INIT = {"seed": 4321, "std": 0.05, "normScale": 0.1}
OPTIMIZER = {
    "learningRate": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "weightDecay": 0.1,
    "maxGradNorm": 1.0,
}
LENGTHS = [12, 23, 17, 30]
PROMPT_TOKENS = 5
STEPS = 50


def batch_of(step: int, vocab: int) -> tuple[list[list[int]], list[list[bool]]]:
    """Sequences of a step and which of their tokens are trained."""
    sequences, masks = [], []
    for b, length in enumerate(LENGTHS):
        token = (step * 31 + b * 17 + 5) % vocab
        sequence = []
        for _ in range(length):
            sequence.append(token)
            token = (3 * token + 7) % vocab
        sequences.append(sequence)
        masks.append([t > PROMPT_TOKENS for t in range(length)])
    return sequences, masks


def train(attention: str = "eager", dtype: torch.dtype = torch.float32) -> dict:
    """Runs the fifty steps and returns the file's contents."""
    model = ref.build_model(ref.TINY_TIED, INIT, attention).to(dtype)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    norms = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": OPTIMIZER["weightDecay"]},
            {"params": norms, "weight_decay": 0.0},
        ],
        lr=OPTIMIZER["learningRate"],
        betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]),
        eps=OPTIMIZER["epsilon"],
    )
    steps = []
    for step in range(STEPS):
        sequences, masks = batch_of(step, ref.TINY_TIED["vocab_size"])
        trained = sum(map(sum, masks))
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for tokens, mask in zip(sequences, masks, strict=True):
            ids = torch.tensor(tokens)
            logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
            logprobs = torch.log_softmax(logits, -1).gather(1, ids[1:, None])[:, 0]
            loss = -logprobs[torch.tensor(mask[1:])].sum() / trained
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), OPTIMIZER["maxGradNorm"])
        optimizer.step()
        cu = [0]
        for tokens in sequences:
            cu.append(cu[-1] + len(tokens))
        steps.append(
            {
                "tokens": sum(sequences, []),
                "cuSeqlens": cu,
                "coef": [ref.digits(-m / trained, 9) if m else 0 for mask in masks for m in mask],
                "loss": ref.digits(total, 9),
                "gradNorm": ref.digits(norm, 9),
            }
        )
    return {
        "config": ref.TINY_TIED,
        "init": INIT,
        "optimizer": OPTIMIZER,
        "steps": steps,
        "final": [
            [name, ref.digits(p.double().sum()), ref.digits(p.double().norm())]
            for name, p in model.named_parameters()
        ],
    }


def main() -> None:
    torch.set_num_threads(2)
    curve = train()
    if "--sensitivity" in sys.argv:
        # How far two equally valid float32 (and a mostly double) evaluations drift apart.
        for attention, dtype in (("sdpa", torch.float32), ("eager", torch.float64)):
            other = train(attention, dtype)
            pairs = list(zip(curve["steps"], other["steps"], strict=True))
            loss = max(abs(a["loss"] - b["loss"]) for a, b in pairs)
            norm = max(abs(a["gradNorm"] / b["gradNorm"] - 1) for a, b in pairs)
            print(f"{attention} {dtype}: loss differs by {loss:.2e}, gradient norm by {norm:.2e}")
        return
    out = Path(__file__).parent / "curve.json"
    fields = [f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in curve.items() if k != "steps"]
    steps = ",\n".join(json.dumps(s, separators=(",", ":")) for s in curve["steps"])
    out.write_text("{\n" + ",\n".join([*fields, f'"steps": [\n{steps}\n]']) + "\n}\n")
    losses = [s["loss"] for s in curve["steps"]]
    print(losses[0], losses[25], losses[-1], out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
