"""Golden values of ESPO's sequence-level objective (arXiv 2512.03759) for an autoregressive model, where the
ELBO is the exact log-likelihood. Written from the paper's formulas with torch's autograd, apart from
lib/algorithms: per completion y of length L, with S = sum of log-probs,

  rho = exp((S - S_old) / L),  loss = -min(rho A, clip(rho, 1 - eps, 1 + eps) A) + beta (S - S_ref)^2 / (2 L)

averaged over the completions; A = R - mean of the others' R in the group.

  python test/golden/espo_losses.py > test/golden/espo_losses.json
"""

import json

import torch

torch.manual_seed(20251203)
torch.set_default_dtype(torch.float64)


def case(spread, epsilon, beta):
    lengths = [3, 1, 5, 4]
    rewards = torch.rand(4)
    others = (rewards.sum() - rewards) / 3
    advantages = rewards - others
    logprobs = [(-2 * torch.rand(n)).float().double().requires_grad_() for n in lengths]
    old = [(l.detach() + spread * torch.randn(len(l))).float().double() for l in logprobs]
    ref = [(l.detach() + 0.3 * torch.randn(len(l))).float().double() for l in logprobs]
    total = 0
    for l, o, r, a in zip(logprobs, old, ref, advantages):
        rho = torch.exp((l.sum() - o.sum()) / len(l))
        policy = -torch.min(rho * a, torch.clamp(rho, 1 - epsilon, 1 + epsilon) * a)
        total = total + policy + beta * (l.sum() - r.sum()) ** 2 / (2 * len(l))
    loss = total / len(lengths)
    loss.backward()
    flat = lambda xs: [v for x in xs for v in x.detach().tolist()]
    return {
        "lengths": lengths,
        "epsilon": epsilon,
        "beta": beta,
        "rewards": rewards.tolist(),
        "advantages": advantages.tolist(),
        "logprobs": flat(logprobs),
        "old": flat(old),
        "ref": flat(ref),
        "loss": loss.item(),
        "gradient": [v for l in logprobs for v in l.grad.tolist()],
    }


print(json.dumps([case(0.0, 0.2, 0.01), case(0.1, 0.2, 0.0), case(0.5, 0.2, 0.05), case(1.0, 0.1, 1.0)], indent=1))
