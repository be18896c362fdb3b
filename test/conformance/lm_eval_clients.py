"""lm-eval's local-completions and local-chat-completions clients, unmodified, against `kogrpo serve`:
the log-likelihoods must be the sums of what `kogrpo score` gives.

    python test/conformance/lm_eval_clients.py      # in the repository, after npm run build

Needs lm-eval (0.4.13 was used) with what its API clients import (requests, tenacity, transformers).
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLI = ["node", os.path.join(ROOT, "dist/cli/main.js")]
MINI = os.path.join(ROOT, "assets/mini")
PAIRS = [
    ("사과가 7개 있다. 3개를 더 샀다.", " 모두 10개이다."),
    ("사과가 7개 있다. 3개를 더 샀다.", " 모두 9개이다."),
    ("3 + 4 =", " 7"),
    ("The answer is", " 12."),
]


def instance(kind, arguments, i):
    return Instance(request_type=kind, doc={}, arguments=arguments, idx=i)


def score(sequences):
    """Sum of log-probs of each (context ids, continuation ids), by the command line."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = os.path.join(folder, "in.jsonl"), os.path.join(folder, "out.jsonl")
        with open(source, "w") as f:
            for context, continuation in sequences:
                f.write(json.dumps({"prompt_ids": context, "tokens": continuation}) + "\n")
        subprocess.run(
            [*CLI, "score", "--model", "builtin:mini", "--input", source, "--output", out],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return [sum(json.loads(line)["logprobs"]) for line in open(out)]


def main():
    server = subprocess.Popen(
        [*CLI, "serve", "builtin:mini", "--port", "0", "--served-model-name", "mini"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = re.search(r"http:\S+", server.stdout.readline()).group(0)
        common = {"model": "mini", "tokenizer": MINI, "tokenizer_backend": "huggingface"}
        for settings in ({}, {"batch_size": 3}, {"num_concurrent": 4}):
            client = LocalCompletionsAPI(base_url=f"{url}/completions", max_length=512, **common, **settings)
            found = client.loglikelihood(
                [instance("loglikelihood", pair, i) for i, pair in enumerate(PAIRS)]
            )
            pairs = [client._encode_pair(*pair) for pair in PAIRS]
            expected = score(pairs)
            for (logprob, _), want, pair in zip(found, expected, PAIRS, strict=True):
                assert abs(logprob - want) <= 1e-12 * abs(want), (settings, pair, logprob, want)
            generated = client.generate_until(
                [instance("generate_until", (PAIRS[0][0], {"until": ["."], "max_gen_toks": 20}), 0)]
            )
            assert len(generated) == 1 and "." not in generated[0], generated
            print("local-completions", settings, "equal to kogrpo score:", [x for x, _ in found])
        chat = LocalChatCompletion(base_url=f"{url}/chat/completions", **common)
        history = chat.apply_chat_template([{"role": "user", "content": "3 더하기 4는?"}])
        answer = chat.generate_until(
            [instance("generate_until", (history, {"until": [], "max_gen_toks": 200}), 0)]
        )
        assert len(answer) == 1 and answer[0], answer
        print("local-chat-completions:", json.dumps(answer[0], ensure_ascii=False))
    finally:
        server.terminate()
        code = server.wait(timeout=30)
    assert code == 143, code
    print("ok")


if __name__ == "__main__":
    sys.exit(main())
