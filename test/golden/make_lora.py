"""Golden LoRA training: steps of PEFT's adapters on the tiny tied geometry under torch's AdamW.

    python test/golden/make_lora.py            writes test/golden/lora.json and test/golden/lora/
    python test/golden/make_lora.py --check DIR --base DIR --expect ROWS.json

The model is frozen, made by the rule of reference.py; the adapters' A begin as the engine makes them
(uniform in ±1/√in, the same counter-based words), B at 0. Batches and loss are make_curve.py's. The
file: config, init, lora (PEFT's keys), seed, optimizer, steps [{tokens, cuSeqlens, coef, loss,
gradNorm}], final [[parameter, sum, norm]] and logits of a row after the last step; the directory is what
`save_pretrained` of PEFT writes then, for reading.

--check loads an adapter that kogrpo wrote into PEFT, on its base in transformers, and holds the
log-probs of a line of `kogrpo score --output` ({"tokens": […], "logprobs": [null, …]}) against it:
further than 1e-4 is an error.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

import make_curve
import reference as ref

INIT = make_curve.INIT
SEED = 77
LORA = {
    "r": 4,
    "lora_alpha": 12,
    "lora_dropout": 0.0,
    "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "use_rslora": True,
}
OPTIMIZER = {**make_curve.OPTIMIZER, "learningRate": 1e-2}
STEPS = 12
PREFIX = "base_model.model."


def uniforms(name: str, count: int, seed: int) -> np.ndarray:
    """One uniform an element, of the words that reference.py makes normals of."""
    block = np.arange(-(-count // 4), dtype=np.uint64)
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    zeros = np.zeros(block.shape, np.uint64)
    name_hash = np.full(block.shape, ref.fnv1a32(name), np.uint64)
    words = ref.philox4x32_10(
        [block & mask, block >> shift, name_hash, zeros], (seed & 0xFFFFFFFF, seed >> 32)
    )
    u = [((w >> np.uint64(8)).astype(np.float64) + 0.5) * 2.0**-24 for w in words]
    return np.stack(u, 1).reshape(-1)[:count]


def adapted(lora: dict) -> PeftModel:
    """The tiny model with adapters that begin as the engine's."""
    model = get_peft_model(ref.build_model(ref.TINY_TIED, INIT), LoraConfig(**lora, task_type="CAUSAL_LM"))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_A" not in name:
                continue
            plain = name.removeprefix(PREFIX).replace(".default", "")
            bound = 1 / math.sqrt(p.shape[1])
            values = bound * (2 * uniforms(plain, p.numel(), SEED) - 1)
            p.copy_(torch.from_numpy(values.astype(np.float32).reshape(p.shape)))
    return model.train()


def train(directory: Path | None, lora: dict = LORA, before=lambda model, step, tokens: None) -> dict:
    """Runs the steps, saves the adapter to `directory`, returns the file's contents. `before` is
    called before each sequence."""
    model = adapted(lora)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters,
        lr=OPTIMIZER["learningRate"],
        betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]),
        eps=OPTIMIZER["epsilon"],
        weight_decay=OPTIMIZER["weightDecay"],
    )
    steps = []
    for step in range(STEPS):
        sequences, masks = make_curve.batch_of(step, ref.TINY_TIED["vocab_size"])
        trained = sum(map(sum, masks))
        optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for tokens, mask in zip(sequences, masks, strict=True):
            before(model, step, tokens)
            ids = torch.tensor(tokens)
            logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
            logprobs = torch.log_softmax(logits, -1).gather(1, ids[1:, None])[:, 0]
            loss = -logprobs[torch.tensor(mask[1:])].sum() / trained
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(parameters, OPTIMIZER["maxGradNorm"])
        optimizer.step()
        cu = [0]
        for tokens in sequences:
            cu.append(cu[-1] + len(tokens))
        coef = [ref.digits(-m / trained, 9) if m else 0 for mask in masks for m in mask]
        steps.append(
            {
                "tokens": sum(sequences, []),
                "cuSeqlens": cu,
                "coef": coef,
                "loss": ref.digits(total, 9),
                "gradNorm": ref.digits(norm, 9),
            }
        )
    model.eval()
    if directory:
        model.save_pretrained(directory)
    tokens = steps[-1]["tokens"][:12]
    with torch.no_grad():
        row = model(input_ids=torch.tensor(tokens)[None], use_cache=False).logits[0, -1]
    return {
        "config": ref.TINY_TIED,
        "init": INIT,
        "lora": lora,
        "seed": SEED,
        "optimizer": OPTIMIZER,
        "final": [
            [
                name.removeprefix(PREFIX).replace(".default", ""),
                ref.digits(p.double().sum()),
                ref.digits(p.double().norm()),
            ]
            for name, p in model.named_parameters()
            if p.requires_grad or "lora_" in name
        ],
        "tokens": tokens,
        "logits": [ref.digits(x) for x in row],
        "steps": steps,
    }


def check(adapter: str, base: str, rows: str) -> None:
    """An adapter of kogrpo in PEFT, against log-probs that kogrpo computed."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    worst, count = 0.0, 0
    for line in Path(rows).read_text().splitlines():
        row = json.loads(line)
        ids = torch.tensor(row["tokens"])
        with torch.no_grad():
            logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
        logprobs = torch.log_softmax(logits, -1).gather(1, ids[1:, None])[:, 0]
        for ours, theirs in zip(row["logprobs"][1:], logprobs.tolist(), strict=True):
            worst = max(worst, abs(ours - theirs))
            count += 1
    print(f"{count} log-probs, largest difference {worst:.2e}")
    if not worst < 1e-4:
        sys.exit(1)


def main() -> None:
    torch.set_num_threads(2)
    parser = argparse.ArgumentParser()
    parser.add_argument("--check")
    parser.add_argument("--base")
    parser.add_argument("--expect")
    args = parser.parse_args()
    if args.check:
        check(args.check, args.base, args.expect)
        return
    here = Path(__file__).parent
    write(train(here / "lora"), here / "lora.json")
    (here / "lora" / "README.md").unlink()


def write(golden: dict, file: Path) -> None:
    fields = [
        f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in golden.items() if k != "steps"
    ]
    steps = ",\n".join(json.dumps(s, separators=(",", ":")) for s in golden["steps"])
    file.write_text("{\n" + ",\n".join([*fields, f'"steps": [\n{steps}\n]']) + "\n}\n")
    print([s["loss"] for s in golden["steps"]], file.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
