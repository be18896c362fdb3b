"""Training speed of torch: 16 sequences x 256 tokens, forward, backward, clipping and AdamW step.
--geometry, --batch and --seq measure another model or size.

Variants: `eager` (sdpa attention), `eager_fused` (with torch's fused AdamW), `compile` (torch.compile
of the model, fused AdamW; compilation is warm-up and not timed). tokens_per_s counts 4,096 tokens a
step. The comparison uses the fastest.
"""

from __future__ import annotations

import common

def main() -> None:
    options = common.arguments(__doc__, repeats=10)
    import torch

    for variant in ("eager", "eager_fused", "compile"):
        if not common.wanted(options, variant):
            continue
        torch.manual_seed(0)
        model = common.build_model(config=common.geometry(options.geometry)).train()
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=1e-4, weight_decay=0.1, fused=variant != "eager"
        )
        forward = torch.compile(model) if variant == "compile" else model
        tokens = torch.randint(2, 2048, (options.batch, options.seq))

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            forward(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

        seconds = common.measure(step, options.repeats, warm_up=options.warm_up)
        common.emit("train", variant, options.batch * options.seq, seconds, options.threads)


if __name__ == "__main__":
    main()
