"""Golden values of the engine's parity test: logits, log-probs, entropies and the gradient of every
parameter, computed by `transformers` in float32 on weights that any language can reproduce.

    python test/golden/make_parity.py [tiny_tied tiny_untied bench qwen3_0_6b]

writes test/golden/parity/<geometry>.json. Every sequence runs alone (no packing, no padding, eager
attention) and gradients of the sequences are added, so a packed engine is held against the plainest
use of the reference. The weights come from reference.py.

The file:
  config, init {seed, std, normScale}, tokens, cuSeqlens     the packed batch
  logits    [{sequence, position, max, index|null, value}]   max = largest |logit| of the row; index
            null: value is the whole row; logits at position t are those that predict token t + 1
  cases     [{temperature, vocabLimit, coef, entropyCoef|null, logprobs, entropies, gradients}]
            logprobs[t] = log p(tokens[t] | before) and entropies[t] = the entropy of that
            distribution (nats), over softmax(logits / temperature) of ids < vocabLimit; both 0 at
            the first token of a sequence. L = sum_t coef[t] logprobs[t] + entropyCoef[t] entropies[t]
            gradients: in the order of `parameters`, rows [norm, sum, sum of magnitudes, largest
            magnitude, values]; values are dL/dparameter at the indices that `parameters` names
  parameters  rows [name, count, sum of initial values, indices, initial values at the first three]:
            fixed pseudo-random places, rows of tokens that occur (embedding), and, last, the place of
            the first case's largest gradient
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

import reference as ref

GEOMETRIES: dict[str, dict] = {
    "tiny_tied": {
        "config": ref.TINY_TIED,
        "init": {"seed": 1234, "std": 0.05, "normScale": 0.1},
        "lengths": [7, 33, 70],
        "whole_rows": True,
    },
    "tiny_untied": {
        "config": ref.TINY_UNTIED,
        # A seed above 2^32 so that both words of the Philox key are used.
        "init": {"seed": 20260101_0000, "std": 0.05, "normScale": 0.1},
        "lengths": [7, 33, 70],
        "whole_rows": True,
    },
    "bench": {
        "config": ref.BENCH,
        "init": {"seed": 7, "std": 0.02, "normScale": 0.1},
        "lengths": [7, 33, 70],
        "whole_rows": False,
    },
    "qwen3_0_6b": {
        "config": ref.QWEN3_0_6B,
        "init": {"seed": 99, "std": 0.02, "normScale": 0.1},
        "lengths": [5, 17],
        "whole_rows": False,
    },
}

# Tokens stay below vocab - 8, so that a vocabulary limit of vocab - 8 is a valid case.
LIMIT_MARGIN = 8


def token_formula(position: int, vocab: int) -> int:
    """Token at a flat position of the packed batch."""
    return (position * position * 7919 + position * 104729 + 31) % (vocab - LIMIT_MARGIN)


def cases_of(name: str, vocab: int, tokens: int, starts: set[int]) -> list[dict]:
    """Coefficients: multiples of 1/64 on three tokens of five; 0 at first tokens."""
    coef = [
        0.0 if t in starts or (t * 7 + 3) % 5 > 2 else ((t * 37 + 11) % 129 - 64) / 64
        for t in range(tokens)
    ]
    entropy_coef = [
        0.0 if t in starts or t % 4 == 1 else ((t * 53 + 7) % 65 - 32) / 32 for t in range(tokens)
    ]
    limit = vocab - LIMIT_MARGIN
    cases = [
        {"temperature": 1.0, "vocabLimit": vocab, "coef": coef, "entropyCoef": None},
        {"temperature": 1.0, "vocabLimit": vocab, "coef": coef, "entropyCoef": entropy_coef},
    ]
    if name == "tiny_tied":
        cases += [
            {"temperature": 0.7, "vocabLimit": vocab, "coef": coef, "entropyCoef": None},
            {"temperature": 0.7, "vocabLimit": limit, "coef": coef, "entropyCoef": entropy_coef},
        ]
    return cases


def run_case(model, sequences: list[torch.Tensor], cu: list[int], case: dict) -> None:
    """Adds logprobs and entropies to a case and leaves the gradients of L in the model."""
    model.zero_grad(set_to_none=True)
    case["logprobs"] = [0.0] * cu[-1]
    case["entropies"] = [0.0] * cu[-1]
    for b, tokens in enumerate(sequences):
        logits = model(input_ids=tokens[None], use_cache=False).logits[0, :-1]
        logp_all = torch.log_softmax(logits[:, : case["vocabLimit"]] / case["temperature"], dim=-1)
        logprobs = logp_all.gather(1, tokens[1:, None])[:, 0]
        entropies = -(logp_all.exp() * logp_all).sum(-1)
        own = slice(cu[b] + 1, cu[b + 1])
        loss = (torch.tensor(case["coef"][own]) * logprobs).sum()
        if case["entropyCoef"] is not None:
            loss = loss + (torch.tensor(case["entropyCoef"][own]) * entropies).sum()
        loss.backward()
        case["logprobs"][own] = [ref.digits(v) for v in logprobs.tolist()]
        case["entropies"][own] = [ref.digits(v) for v in entropies.tolist()]


def logits_of(model, sequences: list[torch.Tensor], whole_rows: bool) -> list[dict]:
    """Rows of logits at the first, a middle and the last position of the outer sequences."""
    rows = []
    vocab = model.config.vocab_size
    with torch.no_grad():
        for b in (0, len(sequences) - 1):
            logits = model(input_ids=sequences[b][None], use_cache=False).logits[0]
            last = len(sequences[b]) - 1
            for position in (0, last // 2 + 1, last):
                row = logits[position]
                index = None
                if not whole_rows:
                    spread = [(k * 2654435761 + position) % vocab for k in range(61)]
                    index = spread + [0, vocab - 1, int(row.abs().argmax())]
                value = row if index is None else row[index]
                rows.append(
                    {
                        "sequence": b,
                        "position": position,
                        "max": ref.digits(row.abs().max()),
                        "index": index,
                        "value": [ref.digits(v) for v in value.tolist()],
                    }
                )
    return rows


def indices_of(name: str, parameter: torch.Tensor, tokens: list[int]) -> list[int]:
    """Eight places of a parameter: pseudo-random, used embedding rows, the largest gradient."""
    count = parameter.numel()
    spread = [(k * 2654435761 + ref.fnv1a32(name)) % count for k in range(7)]
    if name == "model.embed_tokens.weight":
        width = parameter.shape[1]
        # The last of these is the last token but one: the batch's very last token is never an input.
        places = zip((4, 5, 6), (tokens[0], tokens[len(tokens) // 2], tokens[-2]), strict=True)
        for slot, token in places:
            spread[slot] = token * width + (spread[slot] % width)
    return [*spread, int(parameter.grad.abs().argmax())]


def make(name: str) -> dict:
    """All golden values of one geometry."""
    geometry = GEOMETRIES[name]
    config, init = geometry["config"], geometry["init"]
    vocab = config["vocab_size"]
    model = ref.build_model(config, init)
    cu = [0]
    for length in geometry["lengths"]:
        cu.append(cu[-1] + length)
    tokens = [token_formula(t, vocab) for t in range(cu[-1])]
    sequences = [torch.tensor(tokens[a:b]) for a, b in zip(cu, cu[1:], strict=False)]

    logits = logits_of(model, sequences, geometry["whole_rows"])
    cases = cases_of(name, vocab, len(tokens), set(cu))
    parameters: list[list] = []
    for case in cases:
        run_case(model, sequences, cu, case)
        if not parameters:
            for key, p in model.named_parameters():
                index = indices_of(key, p, tokens)
                flat = p.detach().reshape(-1)
                total = ref.digits(flat.double().sum())
                # float32 values in the shortest form that reads back to the same bits
                values = [ref.digits(v, 9) for v in flat[index[:3]].tolist()]
                parameters.append([key, flat.numel(), total, index, values])
        case["gradients"] = []
        for p, row in zip(model.parameters(), parameters, strict=True):
            g = p.grad.reshape(-1)
            wide = g.double()
            case["gradients"].append(
                [
                    ref.digits(wide.norm(), 7),
                    ref.digits(wide.sum(), 7),
                    ref.digits(wide.abs().sum(), 7),
                    ref.digits(g.abs().max(), 7),
                    [ref.digits(v, 6) for v in g[row[3]].tolist()],
                ]
            )
    return {
        "config": config,
        "init": init,
        "tokens": tokens,
        "cuSeqlens": cu,
        "logits": logits,
        "parameters": parameters,
        "cases": cases,
    }


def main() -> None:
    torch.set_num_threads(2)
    out = Path(__file__).parent / "parity"
    out.mkdir(exist_ok=True)
    for name in sys.argv[1:] or GEOMETRIES:
        path = out / f"{name}.json"
        # One line a field: small, and a change shows where it is.
        text = ",\n".join(
            f'"{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in make(name).items()
        )
        path.write_text(f"{{\n{text}\n}}\n")
        print(name, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
