"""Golden values of the GRPO losses from TRL itself.

Calls TRL 1.13's real `GRPOTrainer._compute_loss` (unbound) on a stub `self` that holds only the
attributes the method reads. The stub's `_get_per_token_logps_and_entropies` returns a leaf tensor of
log-probs instead of running a model, so `loss.backward()` leaves dL/dlogp in that leaf. Everything is
float64; inputs are rounded to float32 first, because that is what crosses kogrpo's boundary.

A case is an optimizer step cut into `accumulation` equal micro-batches: TRL divides by the number of
micro-batches (dr_grpo, grpo, bnpo, sapo) or by the tokens of the step (dapo, cispo), and the
losses add up. bnpo's denominator is the micro-batch's own token count in TRL, so it is recorded with
one micro-batch only, where it equals the step's.

Run: python test/golden/trl_losses.py   (needs torch, trl 1.13 and transformers; writes trl_losses.json beside itself)
"""

import json
import pathlib
from collections import defaultdict
from types import SimpleNamespace

import torch
import trl
from trl import GRPOTrainer

SEQUENCES, LONGEST, MAX_COMPLETION_LENGTH = 6, 9, 16


class Accelerator:
    num_processes = 1
    sync_gradients = True

    def gather(self, x):
        return x

    def reduce(self, x, reduction="sum"):
        return x


def make_inputs(generator, spread):
    lengths = torch.randint(2, LONGEST + 1, (SEQUENCES,), generator=generator)
    lengths[0] = LONGEST
    width = int(lengths.max())
    mask = (torch.arange(width)[None, :] < lengths[:, None]).long()
    # One token in the middle of the longest completion is masked out, as tool output would be.
    tool_mask = torch.ones_like(mask)
    tool_mask[0, 3] = 0
    rand = lambda: torch.randn(SEQUENCES, width, generator=generator, dtype=torch.float64)
    f32 = lambda x: x.float().double()
    logprobs = f32(-rand().abs() - 0.05)
    return SimpleNamespace(
        lengths=lengths,
        width=width,
        mask=mask,
        tool_mask=tool_mask,
        logprobs=logprobs,
        old=f32(logprobs + spread * rand()),
        ref=f32(logprobs + spread * rand()),
        advantages=f32(torch.randn(SEQUENCES, generator=generator, dtype=torch.float64)),
    )


def run_trl(data, options, accumulation, on_policy):
    epsilon = options["epsilon"]
    epsilon_high = options["epsilon_high"]
    stub = SimpleNamespace(
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level=options["importance_sampling_level"],
        beta=options["beta"],
        loss_type=options["loss_type"],
        epsilon_low=epsilon,
        epsilon_high=epsilon if epsilon_high is None else epsilon_high,
        use_vllm=False,
        vllm_importance_sampling_correction=False,
        max_completion_length=MAX_COMPLETION_LENGTH,
        current_gradient_accumulation_steps=accumulation,
        accelerator=Accelerator(),
        model=SimpleNamespace(training=True),
        _entropy_bonus_enabled=False,
        _metrics={"train": defaultdict(list)},
        args=SimpleNamespace(
            delta=options["delta"],
            use_bias_correction_kl=False,
            sapo_temperature_pos=1.0,
            sapo_temperature_neg=1.05,
            steps_per_generation=accumulation,
        ),
    )
    tokens = (data.mask * data.tool_mask).sum()
    losses, gradients = [], []
    size = SEQUENCES // accumulation
    for m in range(accumulation):
        rows = slice(m * size, (m + 1) * size)
        leaf = data.logprobs[rows].clone().requires_grad_(True)
        stub._get_per_token_logps_and_entropies = lambda *a, **k: (leaf, torch.zeros_like(leaf), None)
        inputs = {
            "prompt_ids": torch.zeros(size, 1, dtype=torch.long),
            "prompt_mask": torch.ones(size, 1, dtype=torch.long),
            "completion_ids": torch.zeros(size, data.width, dtype=torch.long),
            "completion_mask": data.mask[rows],
            "tool_mask": data.tool_mask[rows],
            "advantages": data.advantages[rows],
            "num_items_in_batch": tokens,
        }
        if not on_policy:
            inputs["old_per_token_logps"] = data.old[rows]
        if options["beta"] != 0.0:
            inputs["ref_per_token_logps"] = data.ref[rows]
        loss = GRPOTrainer._compute_loss(stub, None, inputs)
        loss.backward()
        losses.append(loss.item())
        gradients.append(leaf.grad)
    metrics = {k: v for k, v in stub._metrics["train"].items() if k != "entropy"}
    return losses, torch.cat(gradients), metrics, int(tokens)


def packed(matrix, data):
    return [float(x) for row, n in zip(matrix, data.lengths) for x in row[: int(n)]]


def main():
    assert trl.__version__.startswith("1.13"), trl.__version__
    base = dict(
        epsilon=0.2, epsilon_high=None, delta=None, beta=0.0, importance_sampling_level="token"
    )
    variants = []
    for loss_type in ["dr_grpo", "grpo", "dapo", "bnpo"]:
        variants += [
            dict(loss_type=loss_type),
            dict(loss_type=loss_type, epsilon_high=0.28, beta=0.04),
            dict(loss_type=loss_type, epsilon_high=0.28, delta=1.4),
            dict(loss_type=loss_type, importance_sampling_level="sequence", epsilon=0.1, beta=0.02),
        ]
    variants += [
        dict(loss_type="cispo", epsilon_high=1.2, beta=0.03),
        dict(loss_type="sapo"),
        dict(loss_type="sapo", importance_sampling_level="sequence"),
    ]
    generator = torch.Generator().manual_seed(20251122)
    cases = []
    for variant in variants:
        options = {**base, **variant}
        for on_policy in (False, True):
            for accumulation in (1, 3):
                if accumulation > 1 and options["loss_type"] == "bnpo":
                    continue
                data = make_inputs(generator, spread=0.35)
                losses, gradient, metrics, tokens = run_trl(data, options, accumulation, on_policy)
                cases.append(
                    dict(
                        options=options,
                        on_policy=on_policy,
                        accumulation=accumulation,
                        max_completion_length=MAX_COMPLETION_LENGTH,
                        num_completions=SEQUENCES,
                        num_tokens=tokens,
                        lengths=data.lengths.tolist(),
                        mask=[int(x) for x in packed(data.mask * data.tool_mask, data)],
                        logprobs=packed(data.logprobs, data),
                        old=None if on_policy else packed(data.old, data),
                        ref=packed(data.ref, data) if options["beta"] != 0.0 else None,
                        advantages=data.advantages.tolist(),
                        losses=losses,
                        gradient=packed(gradient, data),
                        metrics=metrics,
                    )
                )
    target = pathlib.Path(__file__).with_name("trl_losses.json")
    lines = ",\n".join(json.dumps(case) for case in cases)
    target.write_text(f'{{"trl": "{trl.__version__}", "torch": "{torch.__version__}", "cases": [\n{lines}\n]}}\n')
    print(f"{len(cases)} cases, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
