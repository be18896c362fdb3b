"""Loads a checkpoint directory in `transformers` and prints logits of a fixed prompt as JSON.

    python test/golden/check_checkpoint.py DIR [--tokens 1,2,3] [--expect ROWS.json]

Used by hand to show that directories written by kogrpo load unchanged and compute the same. Nothing is
repaired on the way: missing, unexpected or mismatched tensors are an error. Output: {directory, dtype,
tied, parameters, tokens, tokenizer, logits: [{position, max, argmax, index, value}], logprobs}, where
logprobs[t] = log p(tokens[t] | before) in nats (null first), computed in float32 as the engine does.

--expect holds the result against a line of `kogrpo score` ({"logprobs": [null, …]}) for the same tokens
and fails when a log-prob is further than 1e-4 away.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPT = "사과 3개와 배 2개를 샀습니다. 모두 몇 개입니까?"
TOLERANCE = 1e-4


def tokenizer_report(directory: Path, vocab: int) -> tuple[dict | None, list[int] | None]:
    """What the tokenizer makes of the fixed prompt, if the directory has one."""
    if not (directory / "tokenizer.json").exists():
        return None, None
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    report = {
        "size": len(tokenizer),
        "eos": tokenizer.eos_token,
        "pad": tokenizer.pad_token,
        "has_chat_template": tokenizer.chat_template is not None,
        "round_trip": tokenizer.decode(ids) == PROMPT,
    }
    if max(ids) >= vocab:
        sys.exit(f"{directory}: token {max(ids)} of the prompt is beyond the model's {vocab}")
    return report, ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--tokens", help="comma-separated ids instead of the fixed prompt")
    parser.add_argument("--expect", type=Path, help="a JSON file with logprobs for these tokens")
    options = parser.parse_args()

    model, loading = AutoModelForCausalLM.from_pretrained(
        options.directory,
        dtype=torch.float32,
        attn_implementation="eager",
        output_loading_info=True,
    )
    problems = {kind: sorted(map(str, names)) for kind, names in loading.items() if names}
    if problems:
        sys.exit(f"{options.directory}: transformers had to repair it: {json.dumps(problems)}")
    model.eval()
    config = json.loads((options.directory / "config.json").read_text(encoding="utf-8"))
    tokenizer, ids = tokenizer_report(options.directory, model.config.vocab_size)
    if options.tokens:
        ids = [int(token) for token in options.tokens.split(",")]
    if ids is None:
        ids = [(k * 7919 + 31) % model.config.vocab_size for k in range(24)]

    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    rows = []
    for position in sorted({0, len(ids) // 2, len(ids) - 1}):
        row = logits[position]
        index = [k * 2654435761 % row.numel() for k in range(8)]
        rows.append(
            {
                "position": position,
                "max": row.abs().max().item(),
                "argmax": int(row.argmax()),
                "index": index,
                "value": row[index].tolist(),
            }
        )
    picked = torch.log_softmax(logits[:-1], -1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    logprobs = [None, *picked.tolist()]
    print(
        json.dumps(
            {
                "directory": str(options.directory),
                "dtype": config.get("dtype", config.get("torch_dtype")),
                "tied": model.config.tie_word_embeddings,
                "parameters": sum(p.numel() for p in model.parameters()),
                "tokens": ids,
                "tokenizer": tokenizer,
                "logits": rows,
                "logprobs": logprobs,
            },
            ensure_ascii=False,
        )
    )
    if options.expect:
        expected = json.loads(options.expect.read_text(encoding="utf-8").splitlines()[0])["logprobs"]
        if len(expected) != len(logprobs):
            sys.exit(f"{options.expect}: {len(expected)} log-probs, but there are {len(logprobs)} tokens")
        pairs = zip(expected[1:], logprobs[1:], strict=True)
        worst = max((abs(a - b) for a, b in pairs), default=0.0)
        print(f"largest difference of a log-prob: {worst:.3e}", file=sys.stderr)
        if not worst <= TOLERANCE:
            sys.exit(f"log-probs differ by {worst:.3e}, more than {TOLERANCE:g}")


if __name__ == "__main__":
    main()
