"""Speed of one TRL GRPO step: 8 prompts x 8 completions, 64 prompt tokens, 128 new tokens, Dr. GRPO
loss, beta 0 (no reference model), a trivial reward; generation by transformers, as TRL does without
vLLM. The time of a step runs from one optimizer step's end to the next one's; the first steps are
warm-up. tokens_per_s counts the 8,192 sampled tokens of a step.

Variants: `default` (gradient checkpointing off, one micro-batch of 64) and `micro16` (four
micro-batches of 16). The stop token is suppressed with min_new_tokens, so that all are made.
"""

from __future__ import annotations

import tempfile
import time

import common

PROMPTS, GROUP, PROMPT, NEW = 8, 8, 64, 128
WARM_UP = 1


def word_tokenizer():
    """2,048 words w0 ... w2047, one token each, with pad and eos."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {"<pad>": 0, "<eos>": 1, **{f"w{i}": i for i in range(2, 2048)}}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side="left"
    )


def reward(completion_ids: list[list[int]], **_: object) -> list[float]:
    """Share of even token ids: cheap, and different inside a group."""
    return [sum(1 for t in ids if t % 2 == 0) / max(len(ids), 1) for ids in completion_ids]


def main() -> None:
    options = common.arguments(__doc__, repeats=3)
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class Timer(TrainerCallback):
        """Wall clock at the end of each optimizer step."""

        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: object, **__: object) -> None:
            self.ends.append(time.perf_counter())

    for variant in ("default", "micro16"):
        if not common.wanted(options, variant):
            continue
        torch.manual_seed(0)
        steps = WARM_UP + options.repeats
        ids = torch.randint(2, 2048, (PROMPTS * (steps + 1), PROMPT)).tolist()
        prompts = [" ".join(f"w{i}" for i in row) for row in ids]
        micro = 16 if variant == "micro16" else PROMPTS * GROUP
        timer = Timer()
        with tempfile.TemporaryDirectory() as directory:
            trainer = GRPOTrainer(
                model=common.build_model(),
                processing_class=word_tokenizer(),
                reward_funcs=reward,
                train_dataset=Dataset.from_dict({"prompt": prompts}),
                callbacks=[timer],
                args=GRPOConfig(
                    output_dir=directory,
                    max_steps=steps,
                    per_device_train_batch_size=micro,
                    gradient_accumulation_steps=PROMPTS * GROUP // micro,
                    num_generations=GROUP,
                    max_completion_length=NEW,
                    loss_type="dr_grpo",
                    scale_rewards="none",
                    beta=0.0,
                    temperature=1.0,
                    top_k=0,
                    generation_kwargs={"min_new_tokens": NEW},
                    learning_rate=1e-5,
                    gradient_checkpointing=False,
                    bf16=False,
                    use_cpu=True,
                    report_to="none",
                    save_strategy="no",
                    logging_strategy="no",
                    disable_tqdm=True,
                ),
            )
            trainer.remove_callback(PrinterCallback)  # standard output holds results only
            # The trainer's own set-up must not have changed the number of threads.
            torch.set_num_threads(options.threads)
            trainer.train()
        lengths = trainer._metrics["train"]["completions/mean_length"]
        assert all(length == NEW for length in lengths), lengths
        seconds = [b - a for a, b in zip(timer.ends, timer.ends[1:], strict=False)]
        seconds = seconds[WARM_UP - 1 :]
        common.emit("grpo", variant, PROMPTS * GROUP * NEW, seconds, options.threads)


if __name__ == "__main__":
    main()
