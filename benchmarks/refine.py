"""How many clips does an accepted one take, with the verdict's advice worked in and without? Simulated.

    python -m benchmarks.refine

The generator and the verifier are a simulation; the loop, the rule for accepting and the rule writer are the real
ones. Every clip loses each of the brief's three things with one probability, and is jittery, flickering or blurred with
others; all of them rise with the brief's difficulty. A phrase in the prompt against a fault, or the thing's name at the
front, multiplies that fault's probability by the generator's obedience; every phrase makes losing a thing 5 % likelier.
A verdict is 0.92 less the faults' penalties and some noise, and advises what dqa's channels advise for these faults.
Both writers meet the same draws. The writer "same prompt" submits the brief again under the next seed.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dqa.journal import Journal
from dqa.record import EvaluationRecord
from dqa.refine.loop import Run, refine_on
from dqa.refine.ports import Writer, WriteRequest
from dqa.refine.rule import Standards
from dqa.refine.rules import RuleWriter
from dqa.store.refinement_figures import Run as Counted
from dqa.store.refinement_figures import figures
from tests.refine.worlds import verdict

BRIEFS = 300
THINGS = ("dark wolf", "moonlit forest", "frozen lake")
BRIEF = "a dark wolf prowling through a moonlit forest beside a frozen lake"
LOST, PENALTY = 0.22, 0.2
HARD = (0.5, 3.0)
"""Range of the briefs' difficulty: the probabilities of all faults are multiplied by it."""

RETRIES = 10
"""As many as the loop ever allows, so that few runs end for want of them."""

FAULTS = (
    # name, probability, penalty, the phrase that helps, what the channels advise
    ("jitter", 0.30, 0.20, "steady motion", "motion uneven -> reduce prompt complexity; ask for one slow movement"),
    ("flicker", 0.25, 0.18, "even light", "flicker -> ask for constant, even light; leave out flashing"),
    ("blur", 0.20, 0.15, "sharp focus", "detail lost -> fewer objects in the prompt and a closer shot"),
)


@dataclass
class World:
    """A generator that obeys words, more or less, and the verifier of what it makes."""

    seed: int
    obedience: float

    def make(self, prompt: str, negative: str | None, seed: int | None, target: Path, name: str | None = None) -> Path:
        del negative, seed, name
        file = target.with_name(target.name + ".txt")
        file.write_text(prompt)
        return file

    def judge(self, media: Path, prompt: str, evaluation: str) -> EvaluationRecord:
        written, attempt = media.read_text(), int(media.stem[-2:])
        hard = random.Random(f"{self.seed}").uniform(*HARD)
        draws = random.Random(f"{self.seed} {attempt}")
        phrases = written.count(",")
        lost = [thing for thing in THINGS if draws.random() < self._lost(written, thing) * hard * 1.05**phrases]
        weak = [fault for fault in FAULTS if draws.random() < self._against(written, fault[3]) * fault[1] * hard]
        final = 0.92 - PENALTY * len(lost) - sum(fault[2] for fault in weak) + draws.gauss(0, 0.03)
        advice = [f"Not found in the picture: {', '.join(lost)} -> name it earlier in the prompt."] if lost else []
        advice += [fault[4] for fault in weak]
        return verdict(min(1.0, max(0.0, final)), prompt, advice, evaluation)

    def _lost(self, written: str, thing: str) -> float:
        return LOST * (self.obedience if written.startswith(thing) or f", {thing}," in written else 1.0)

    def _against(self, written: str, phrase: str) -> float:
        return self.obedience if phrase in written else 1.0


class SamePrompt:
    """Submits the brief again: what helps then is the seed."""

    name = "same prompt"

    def write(self, request: WriteRequest) -> str:
        return request.brief


def refined(writer: Writer, seed: int, obedience: float, folder: Path) -> tuple[str, int]:
    world = World(seed, obedience)
    run = Run(
        "rf_1", "2026-01-01", folder, BRIEF, "u", "p", Standards("B", RETRIES), writer, world, world, seed, "simulated"
    )  # fmt: skip
    with Journal(folder / "log.jsonl") as journal:
        journal.write({"event": "start"})
        record = refine_on(run, journal, lambda _: None).record
    return record.outcome, len(record.cycles)


def report(writer: Writer, obedience: float) -> str:
    with tempfile.TemporaryDirectory() as folder:
        runs = [refined(writer, seed, obedience, Path(folder) / f"{seed}") for seed in range(BRIEFS)]
    told = figures([Counted("2026-01-01", outcome, cycles) for outcome, cycles in runs], BRIEFS).all
    assert told is not None
    assert told.share is not None
    assert told.cycles is not None
    share, cycles = told.share, told.cycles
    clips = sum(count for _, count in runs)
    return (
        f"obedience {obedience:.2f}, {writer.name:11}: {cycles.value:.2f} [{cycles.low:.2f}, {cycles.high:.2f}] cycles "
        f"an accepted clip (n={cycles.n}); accepted {share.value:.2f} [{share.low:.2f}, {share.high:.2f}] "
        f"of {share.n}, for a person {told.review}, exhausted {told.exhausted}; "
        f"{clips / told.accepted:.2f} clips made for each accepted"
    )


def main() -> None:
    for obedience in (0.2, 0.5, 1.0):
        for writer in (SamePrompt(), RuleWriter()):
            print(report(writer, obedience), flush=True)


if __name__ == "__main__":
    main()
