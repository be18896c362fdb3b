"""Generation speed of transformers: 64 sequences, 64 prompt tokens, 128 new tokens each, sampled at
temperature 1 with the key-value cache. The stop token is switched off, so that all are made.

Variants: `dynamic` (the default cache, sdpa), `dynamic_eager` (eager attention), `static_compile`
(static cache, forward compiled by generate; compilation is warm-up). tokens_per_s counts the 8,192
new tokens over the whole call, prefill included. The comparison uses the fastest.
"""

from __future__ import annotations

import common

SEQUENCES, PROMPT, NEW = 64, 64, 128


def main() -> None:
    options = common.arguments(__doc__, repeats=3)
    import torch

    for variant in ("dynamic", "dynamic_eager", "static_compile"):
        if not common.wanted(options, variant):
            continue
        torch.manual_seed(0)
        model = common.build_model("eager" if variant == "dynamic_eager" else "sdpa").eval()
        model.generation_config.eos_token_id = None
        prompt = torch.randint(2, 2048, (SEQUENCES, PROMPT))
        extra = {}
        if variant == "static_compile":
            from transformers import CompileConfig

            # generate() compiles by itself only on accelerators unless it is told to.
            compile_config = CompileConfig(mode="default", fullgraph=False)
            compile_config._compile_all_devices = True
            extra = {"cache_implementation": "static", "compile_config": compile_config}

        def run() -> None:
            with torch.inference_mode():
                out = model.generate(
                    prompt,
                    attention_mask=torch.ones_like(prompt),
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    top_p=1.0,
                    max_new_tokens=NEW,
                    pad_token_id=0,
                    use_cache=True,
                    **extra,
                )
            assert out.shape == (SEQUENCES, PROMPT + NEW), out.shape

        seconds = common.measure(run, options.repeats)
        common.emit("generate", variant, SEQUENCES * NEW, seconds, options.threads)


if __name__ == "__main__":
    main()
