"""Thirty questions on one clip over one pass of its frames, against one question, and against thirty passes.

    python -m benchmarks.shared_prefill [--frames N] [--questions N] [--rounds N] [--one-by-one] [--json]

A Qwen3-VL of random weights on the CPU: small, but in the proportions of the 4B one save for its vocabulary. The
questions are the channels' own, the frames 640 x 360 as they come to a judge. Median CPU seconds of the rounds, one
question and all in turn, then each question on its own, in one process. ``ratio`` is all questions over one and must
be at most 3; answers must be equal to 1e-4 in log-odds. ``saving`` is each on its own over all together.
With ``--one-by-one`` all questions go on the kept prefix one after the other, as they must with FlashAttention.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from dqa.channels.visionreward.checklist import checklist
from dqa.clip.frame import Image
from dqa.models.roles import YesNo
from dqa.models.vlm import local_prefix
from dqa.models.vlm.local import LocalModel
from dqa.models.vlm.local_chat import Chat
from dqa.models.vlm.local_load import load_model, load_processor
from dqa.models.vlm.local_machine import Arguments, Machine, choose
from dqa.record import ModelIdentity
from tests.models import tiny_vlm
from tests.observing import gliding

PROMPT = "a dark wolf prowling through a moonlit forest"
TEXT = {
    "hidden_size": 320, "intermediate_size": 1216, "num_hidden_layers": 9, "num_attention_heads": 4,
    "num_key_value_heads": 1, "head_dim": 80,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 5e6, "mrope_section": [16, 12, 12], "mrope_interleaved": True,
    },
}  # fmt: skip
"""An eighth of Qwen3-VL-4B's 2560 wide and a quarter of its 36 layers."""

VISION = {"depth": 6, "hidden_size": 128, "intermediate_size": 512, "num_heads": 2, "num_position_embeddings": 2304}
"""Likewise of its tower, 1024 wide and 24 deep."""


def model() -> LocalModel:
    """Saved and loaded as a real checkpoint is."""
    with tempfile.TemporaryDirectory() as folder:
        words = tiny_vlm.WORDS + " " + " ".join(question.asked(PROMPT) for question in checklist("video").questions)
        saved = tiny_vlm.qwen3_vl(Path(folder) / "model", text=TEXT, words=words, scatter=0.02, **VISION)
        chat = Chat(load_processor(saved))
        loaded = load_model(saved, choose(Arguments(device="cpu"), Machine()))
    return LocalModel(loaded, chat, ModelIdentity(id="random", licence="none"))


def questions(count: int) -> list[str]:
    """The channels' own: the prompt, then the checklist's."""
    asked = [f'Does this video show "{PROMPT}"? Please answer Yes or No.']
    asked += [question.asked(PROMPT) for question in checklist("video").questions]
    return [asked[i % len(asked)] for i in range(count)]


def timed(work: Callable[[], list[YesNo | None]]) -> tuple[float, list[float]]:
    """CPU seconds of ``work``, and the log-odds it gives."""
    start = time.process_time()
    answers = work()
    spent = time.process_time() - start
    return spent, [answer.log_odds for answer in answers if answer is not None]


def measure(frames: int, count: int, rounds: int) -> dict[str, Any]:
    """The figures of one run."""
    torch.set_num_threads(1)
    vlm, images, asked = model(), list[Image](gliding(frames, 8.0, (360, 640))), questions(count)

    def fresh(some: list[str]) -> list[YesNo | None]:
        vlm.forget()
        return vlm.ask(images, some)

    fresh(asked[:1])
    one, shared = list[float](), list[float]()
    together: list[float] = []
    for _ in range(rounds):
        one.append(timed(lambda: fresh(asked[:1]))[0])
        spent, together = timed(lambda: fresh(asked))
        shared.append(spent)
    if len(together) < count:
        raise SystemExit("the model left questions unanswered: its weights tell nothing")
    apart, alone = timed(lambda: [fresh([question])[0] for question in asked])
    single, all_asked = statistics.median(one), statistics.median(shared)
    return {
        "frames": frames,
        "questions": count,
        "prefix_tokens": int(vlm._chat.prefix(images)["input_ids"].shape[1]),
        "suffix_tokens": sum(len(vlm._chat.suffix(question, frames)) for question in asked),
        "one_question_s": round(single, 3),
        "all_questions_s": round(all_asked, 3),
        "separately_s": round(apart, 3),
        "ratio": round(all_asked / single, 2),
        "saving": round(apart / all_asked, 1),
        "spread_of_answers": max(together) - min(together),
        "largest_difference": max(abs(a - b) for a, b in zip(together, alone, strict=True)),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one-by-one", action="store_true")
    options = parser.parse_args()
    if options.one_by_one:
        vars(local_prefix)["TOKENS_AT_ONCE"] = 0
    found = measure(options.frames, options.questions, options.rounds)
    if options.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:>20}  {value}")
    met = found["ratio"] <= 3 and found["largest_difference"] <= 1e-4
    raise SystemExit(0 if met else 1)


if __name__ == "__main__":
    main()
