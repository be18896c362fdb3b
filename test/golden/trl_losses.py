"""Golden values of the GRPO losses from TRL itself.

Calls TRL 1.13's real `GRPOTrainer._compute_loss` (unbound) on a stub `self` that holds only the
attributes the method reads. The stub's `_get_per_token_logps_and_entropies` returns a leaf tensor of
log-probs instead of running a model, so `loss.backward()` leaves dL/dlogp in that leaf. Everything is
float64; inputs are rounded to float32 first, because that is what crosses kogrpo's boundary.

A case is an optimizer step cut into `accumulation` equal micro-batches: TRL divides by the number of
micro-batches (dr_grpo, grpo, bnpo, sapo) or by the tokens of the step (dapo, cispo), and the
losses add up. bnpo's denominator is the micro-batch's own token count in TRL, so it is recorded with
one micro-batch only, where it equals the step's.

`options` are further cases: entropy filter and bonus, importance weights, other temperatures of sapo.
TRL computes importance weights and advantages in the middle of `_generate_and_score_completions`; those
lines are taken from its source and run as they are. `advantages` are groups of rewards, with None.

Run: python test/golden/trl_losses.py   (needs torch, trl 1.13 and transformers; writes trl_losses.json beside itself)
"""

import inspect
import json
import pathlib
import sys
import textwrap
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

    def pad_across_processes(self, x, dim, pad_index):
        return x


def run_block(first, last, **variables):
    """Runs the lines of TRL's `_generate_and_score_completions` from `first` up to `last`."""
    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    begin = source.rindex("\n", 0, source.index(first)) + 1
    block = textwrap.dedent(source[begin : source.rindex("\n", 0, source.index(last, begin)) + 1])
    scope = dict(vars(sys.modules[GRPOTrainer.__module__]), device=torch.device("cpu"), mode="train", **variables)
    exec(block, scope)
    return scope


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
        entropies=torch.zeros(SEQUENCES, width, dtype=torch.float64),
    )


def add_entropies_and_sampler(data, generator, spread):
    rand = lambda: torch.randn(SEQUENCES, data.width, generator=generator, dtype=torch.float64)
    data.entropies = rand().abs().float().double()
    data.sampled = (data.old + spread * rand()).float().double()


def importance_weights(stub, data):
    """TRL's ratio between trainer (old) and sampler, and its metrics."""
    variables = dict(
        self=stub,
        completion_mask=data.mask,
        tool_mask=data.tool_mask,
        old_per_token_logps=data.old,
        sampling_per_token_logps=data.sampled,
    )
    scope = run_block(
        "if self.use_vllm and self.vllm_importance_sampling_correction:\n                mask =",
        "# Compute the per-token log probabilities for the reference model",
        **variables,
    )
    ratio = scope["vllm_importance_sampling_ratio"]
    run_block(
        "if self.use_vllm and self.vllm_importance_sampling_correction:\n            delta =",
        "output = {",
        **variables,
        vllm_importance_sampling_ratio=ratio,
        sequence_level_is=scope["sequence_level_is"],
    )
    return ratio


def run_trl(data, options, accumulation, on_policy):
    epsilon = options["epsilon"]
    epsilon_high = options["epsilon_high"]
    stub = SimpleNamespace(
        aux_loss_enabled=False,
        top_entropy_quantile=options.get("top_entropy_quantile", 1.0),
        off_policy_mask_threshold=None,
        importance_sampling_level=options["importance_sampling_level"],
        beta=options["beta"],
        loss_type=options["loss_type"],
        epsilon_low=epsilon,
        epsilon_high=epsilon if epsilon_high is None else epsilon_high,
        use_vllm="correction" in options,
        vllm_importance_sampling_correction="correction" in options,
        vllm_importance_sampling_mode=options.get("correction"),
        vllm_importance_sampling_clip_max=options.get("clip_max"),
        vllm_importance_sampling_clip_min=options.get("clip_min"),
        max_completion_length=MAX_COMPLETION_LENGTH,
        current_gradient_accumulation_steps=accumulation,
        accelerator=Accelerator(),
        model=SimpleNamespace(training=True),
        _entropy_bonus_enabled="entropy_coef" in options,
        entropy_coef=options.get("entropy_coef", 0.0),
        use_adaptive_entropy=False,
        _metrics={"train": defaultdict(list)},
        args=SimpleNamespace(
            delta=options["delta"],
            use_bias_correction_kl=False,
            sapo_temperature_pos=options.get("sapo_temperature_pos", 1.0),
            sapo_temperature_neg=options.get("sapo_temperature_neg", 1.05),
            steps_per_generation=accumulation,
        ),
    )
    stub.get_high_entropy_mask = lambda *a: GRPOTrainer.get_high_entropy_mask(stub, *a)
    weights = importance_weights(stub, data) if stub.use_vllm else None
    tokens = (data.mask * data.tool_mask).sum()
    losses, gradients, entropy_gradients = [], [], []
    size = SEQUENCES // accumulation
    for m in range(accumulation):
        rows = slice(m * size, (m + 1) * size)
        leaf = data.logprobs[rows].clone().requires_grad_(True)
        entropies = data.entropies[rows].clone().requires_grad_(True)
        stub._get_per_token_logps_and_entropies = lambda *a, **k: (leaf, entropies, None)
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
        if weights is not None:
            inputs["importance_sampling_ratio"] = weights[rows]
        loss = GRPOTrainer._compute_loss(stub, None, inputs)
        loss.backward()
        losses.append(loss.item())
        gradients.append(leaf.grad)
        entropy_gradients.append(torch.zeros_like(leaf) if entropies.grad is None else entropies.grad)
    data.entropy_gradient = torch.cat(entropy_gradients)
    metrics = {k: v for k, v in stub._metrics["train"].items() if k != "entropy"}
    return losses, torch.cat(gradients), metrics, int(tokens)


def packed(matrix, data):
    return [float(x) for row, n in zip(matrix, data.lengths) for x in row[: int(n)]]


def further_cases(base):
    """Cases of the options beside the surrogate, with a generator of their own."""
    generator = torch.Generator().manual_seed(20251123)
    variants = [
        (dict(loss_type="sapo", sapo_temperature_pos=2.0, sapo_temperature_neg=0.5), 1),
        (dict(loss_type="cispo", epsilon_high=1.1, importance_sampling_level="sequence"), 1),
        (dict(loss_type="dr_grpo", top_entropy_quantile=0.2), 1),
        (dict(loss_type="grpo", top_entropy_quantile=0.5, beta=0.05), 1),
        (dict(loss_type="dapo", entropy_coef=0.01), 1),
        (dict(loss_type="grpo", entropy_coef=0.02, top_entropy_quantile=0.3), 1),
        (dict(loss_type="dr_grpo", correction="token_truncate", clip_max=1.3), 3),
        (dict(loss_type="dr_grpo", correction="token_truncate", clip_max=2.0, clip_min=0.5, beta=0.05), 1),
        (dict(loss_type="dapo", correction="token_mask", clip_max=1.5, clip_min=0.6), 3),
        (dict(loss_type="grpo", correction="sequence_truncate", clip_max=2.0), 3),
        (dict(loss_type="cispo", epsilon_high=1.2, correction="sequence_mask", clip_max=3.0), 1),
        (dict(loss_type="grpo", importance_sampling_level="sequence", correction="token_truncate", clip_max=1.2), 1),
    ]
    cases = []
    for variant, accumulation in variants:
        options = {**base, **variant}
        for on_policy in (False, True):
            data = make_inputs(generator, spread=0.35)
            add_entropies_and_sampler(data, generator, spread=0.3)
            if on_policy:
                data.old = data.logprobs
            losses, gradient, metrics, tokens = run_trl(data, options, accumulation, on_policy)
            case = describe(data, options, accumulation, on_policy, losses, gradient, metrics, tokens)
            case |= dict(
                entropies=packed(data.entropies, data),
                entropy_gradient=packed(data.entropy_gradient, data),
                sampled=packed(data.sampled, data),
            )
            cases.append(case)
    return cases


def advantage_cases():
    generator = torch.Generator().manual_seed(20251124)
    cases = []
    for aggregation, scale in [
        ("sum_then_normalize", "none"),
        ("sum_then_normalize", "group"),
        ("sum_then_normalize", "batch"),
        ("normalize_then_sum", "group"),
    ]:
        # In the plain sum TRL counts a missing value as 0; kogrpo as the mean of its group.
        for missing in (False, True) if aggregation == "normalize_then_sum" else (False,):
            rewards = torch.randn(12, 3, generator=generator, dtype=torch.float64)
            rewards[:, 0] = (rewards[:, 0] > 0).double()
            rewards[4:8, 0] = 1.0  # a group without spread in one reward
            if missing:
                # One value in a group, a whole column of another, and a sample without any reward.
                rewards[1, 2] = rewards[8:12, 1] = rewards[6, :] = torch.nan
            weights = torch.tensor([1.0, 0.2, -0.5], dtype=torch.float64)
            stub = SimpleNamespace(
                multi_objective_aggregation=aggregation, scale_rewards=scale, reward_weights=weights, reward_funcs=[0, 1, 2]
            )
            scope = run_block(
                "unscorable_mask = torch.isnan",
                "# Slice to keep only the local part of the data",
                self=stub,
                rewards_per_func=rewards,
                num_generations=4,
            )
            nullable = lambda row: [None if x != x else x for x in row]
            cases.append(
                dict(
                    multi_objective_aggregation=aggregation,
                    scale_rewards=scale,
                    num_generations=4,
                    weights=weights.tolist(),
                    rewards=[nullable(row) for row in rewards.T.tolist()],
                    advantages=scope["advantages"].tolist(),
                )
            )
    return cases


def describe(data, options, accumulation, on_policy, losses, gradient, metrics, tokens):
    return dict(
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
                cases.append(describe(data, options, accumulation, on_policy, losses, gradient, metrics, tokens))
    target = pathlib.Path(__file__).with_name("trl_losses.json")
    sections = {"cases": cases, "options": further_cases(base), "advantages": advantage_cases()}
    lines = [
        f'"{name}": [\n' + ",\n".join(json.dumps(case) for case in section) + "\n]"
        for name, section in sections.items()
    ]
    head = f'"trl": "{trl.__version__}", "torch": "{torch.__version__}"'
    target.write_text("{" + ", ".join([head, *lines]) + "}\n")
    print(f"{len(cases)} cases, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
