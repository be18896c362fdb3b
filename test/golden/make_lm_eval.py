"""Golden values of multiple choice: the log-likelihoods and accuracies that lm-evaluation-harness gives
for a random-weight Qwen3 on rows made here, in the published format of each benchmark.

    python test/golden/make_lm_eval.py

writes test/golden/lm_eval/<task>.jsonl (rows, and <task>-dev.jsonl for few-shot examples) and
test/golden/lm_eval/results.json:
  config, init   the model: a config.json and {seed, std, normScale} for reference.py's weights
  tasks          {name: {num_fewshot, acc, acc_norm, logprobs [question][option], greedy [question][option]}}

The tasks' prompts are the harness' own definitions; only the place of the data is replaced. The tokenizer
is the miniature's. Made with lm-eval 0.4.13, transformers 5.18, torch 2.13 (float32, batch size 1).
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import lm_eval
import lm_eval.tasks.click.click_cul.utils as click
import lm_eval.tasks.kobest.utils as kobest
import torch
import yaml
from lm_eval.models.huggingface import HFLM
from transformers import PreTrainedTokenizerFast

import reference as ref

HERE = Path(__file__).parent / "lm_eval"
MINI = Path(__file__).parents[2] / "assets" / "mini"
CONFIG = ref.config_of(
    hidden=48, layers=2, heads=4, kv_heads=2, head_dim=16, intermediate=96, vocab=1024, tied=True
)
# Wide weights: the likeliest tokens then differ clearly, and so do the options.
INIT = {"seed": 77, "std": 0.2, "normScale": 0.1}
QUESTIONS = 24
NAMES = ["민수", "지영", "Tom", "하은", "서준"]
THINGS = ["사과", "연필", "apple", "책", "구슬"]


def sums(rng: random.Random) -> tuple[str, list[str], int]:
    a, b = rng.randint(2, 60), rng.randint(2, 60)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    text = f"{name}는 {thing} {a}개에 {b}개를 더 얻었다.{rng.choice(['', ' ', chr(10)])} 모두 몇 개인가?{rng.choice(['', ' '])}"
    options = [a + b, a + b + rng.randint(1, 9), abs(a - b), a * b]
    order = rng.sample(range(4), 4)
    return text, [f"{options[i]}{rng.choice(['', '개', ' 개'])}" for i in order], order.index(0)


def kmmlu_row(rng: random.Random) -> dict:
    question, options, gold = sums(rng)
    return {"question": question, "answer": gold + 1, **dict(zip("ABCD", options)), "Category": "Math"}


def mmlu_row(rng: random.Random) -> dict:
    question, options, gold = sums(rng)
    return {"question": question, "subject": "arithmetic", "choices": options, "answer": gold}


def haerae_row(rng: random.Random) -> dict:
    question, options, gold = sums(rng)
    options.append("알 수 없다")
    lines = "\n".join(f"({letter}) {option}" for letter, option in zip("ABCDE", options))
    query = f"다음 물음에 답하시오.\n### 질문: {question}\n### 선택지:\n{lines}\n### 정답:"
    return {"query": query, "answer": f"({'ABCDE'[gold]})"}


def click_row(rng: random.Random) -> dict:
    question, options, gold = sums(rng)
    paragraph = rng.choice(["", "덧셈은 두 수를 합하는 셈이다."])
    return {
        "id": f"KIIP_economy_{rng.randrange(10**9)}",
        "paragraph": paragraph,
        "question": question,
        "choices": options,
        "answer": options[gold],
    }


def copa_row(rng: random.Random) -> dict:
    thing = rng.choice(THINGS)
    ends = [f"{thing}{rng.choice(['가', '를'])} {verb}." for verb in rng.sample(["먹었다", "잃었다", "새로 샀다"], 2)]
    return {
        "premise": f"{rng.choice(NAMES)}는 {thing} {rng.randint(2, 9)}개를 보았다.",
        "question": rng.choice(["원인", "결과"]),
        "alternative_1": ends[0],
        "alternative_2": ends[1] + rng.choice(["", " 그래서 기뻤다."]),
        "label": rng.randint(0, 1),
    }


def boolq_row(rng: random.Random) -> dict:
    a, b = rng.randint(2, 60), rng.randint(2, 60)
    return {
        "paragraph": f"{rng.choice(NAMES)}는 {a}살이고 동생은 {b}살이다.",
        "question": "둘의 나이 차는 열 살보다 큰가?",
        "label": int(abs(a - b) > 10),
    }


def harness(path: str) -> dict:
    config = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks" / path).read_text())
    return {key: value for key, value in config.items() if not key.startswith("dataset")}


COPA = {
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": kobest.copa_doc_to_text,
    "doc_to_target": kobest.copa_doc_to_target,
    "doc_to_choice": kobest.copa_doc_to_choice,
}
BOOLQ = {
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": "{{paragraph}} 질문: {{question}} 답변: ",
    "doc_to_target": "{{label}}",
    "doc_to_choice": ["아니오", "예"],
}
CLICK = {
    "output_type": "multiple_choice",
    "test_split": "test",
    "doc_to_text": click.get_context,
    "doc_to_target": click.get_target,
    "doc_to_choice": click.get_choices,
}
TASKS = {
    "kmmlu": (harness("kmmlu/default/_default_kmmlu_yaml"), kmmlu_row, 0),
    "kmmlu-2shot": (harness("kmmlu/default/_default_kmmlu_yaml"), kmmlu_row, 2),
    "haerae": (harness("haerae/_default_haerae_yaml"), haerae_row, 0),
    "mmlu": (harness("mmlu/default/_default_template_yaml"), mmlu_row, 0),
    "click": (CLICK, click_row, 0),
    "kobest-copa": (COPA, copa_row, 0),
    "kobest-boolq": (BOOLQ, boolq_row, 0),
}


def write_rows(name: str, row, seed: int, count: int) -> str:
    rng = random.Random(seed)
    path = HERE / f"{name}.jsonl"
    rows = [json.dumps(row(rng), ensure_ascii=False) for _ in range(count)]
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def main() -> None:
    torch.set_num_threads(1)
    HERE.mkdir(exist_ok=True)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(MINI / "tokenizer.json"), eos_token="<|im_end|>")
    model = ref.build_model(CONFIG, INIT).eval()
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1)
    results = {}
    for name, (config, row, shots) in TASKS.items():
        files = {"test": write_rows(name, row, 1, QUESTIONS)}
        if shots:
            files["dev"] = write_rows(f"{name}-dev", row, 2, 4)
        task = {
            **config,
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": files},
            "metric_list": [
                {"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")
            ],
            "num_fewshot": shots,
            "fewshot_config": {"sampler": "first_n"},
        }
        if not shots:
            task["fewshot_split"] = "test"
        done = lm_eval.simple_evaluate(model=lm, tasks=[task], bootstrap_iters=0, num_fewshot=shots)
        samples = sorted(done["samples"][name], key=lambda s: s["doc_id"])
        results[name] = {
            "num_fewshot": shots,
            "acc": done["results"][name]["acc,none"],
            "acc_norm": done["results"][name]["acc_norm,none"],
            "logprobs": [[ref.digits(float(r[0])) for r in s["filtered_resps"]] for s in samples],
            "greedy": [[bool(r[1]) for r in s["filtered_resps"]] for s in samples],
        }
        print(name, results[name]["acc"], results[name]["acc_norm"])
    out = {"config": CONFIG, "init": INIT, "tasks": results}
    (HERE / "results.json").write_text(json.dumps(out, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
