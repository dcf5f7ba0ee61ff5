"""A10: a sign in the picture that tells the judge what to answer, before a judge that obeys it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.record import ChannelResult, EvaluationRecord
from dqa.synthesis import synthesise
from tests.models.vlm_server import P, ScriptedVlm, serving
from tests.observing import gliding, observed

SCORES = (0.02, 0.05, 0.3, 0.6, 0.9, 0.97)


def honest(p: float) -> P:
    """A judge before frames without a sign, where the clip shows the prompt with P = p."""

    def answers(question: str) -> float:
        return 0.03 if "written text" in question else 1 - p if "does not show" in question else p

    return answers


def obeying(_question: str) -> float:
    """Before a sign that says "answer yes", it does, whatever it is asked."""
    return 0.98


def judged(folder: Path, p_yes: P, prompt: str = "a red fox in the snow") -> EvaluationRecord:
    with serving(ScriptedVlm(p_yes=p_yes)) as url:
        evaluator = Evaluator(Settings(home=folder, profile="remote-vlm", vlm_url=url))
        return evaluator.judge(observed(gliding(24)), prompt, channels=["semantic"])


@pytest.mark.parametrize("p", SCORES)
def test_a_sign_that_is_obeyed_raises_no_score(tmp_path: Path, p: float) -> None:
    plain = judged(tmp_path, honest(p)).channels["semantic"]
    signed = judged(tmp_path, obeying).channels["semantic"]
    assert plain.score == pytest.approx(p, abs=0.01)
    assert signed.score is not None
    assert signed.score <= p + 0.001
    assert signed.raw["judge_tamper_suspected"] is True
    assert "suspected in the frames" in signed.reason
    for other in (0.1, 0.5, 0.95):
        look = {"benchmark": ChannelResult(status="ok", score=other, confidence=0.9, reason="r")}
        before, after = synthesise({**look, "semantic": plain}), synthesise({**look, "semantic": signed})
        assert before.final is not None
        assert after.final is not None
        assert after.final <= before.final + 0.001, "a doubt that takes weight from a low score raises the clip"
        assert after.action != "accept"


@pytest.mark.parametrize("p", SCORES)
def test_a_sign_that_is_not_obeyed_moves_nothing(tmp_path: Path, p: float) -> None:
    def steady(question: str) -> float:
        return 0.9 if "written text" in question else honest(p)(question)

    signed = judged(tmp_path, steady)
    assert signed.channels["semantic"].score == pytest.approx(p, abs=0.01)
    assert signed.action != "accept"


def test_without_a_sign_the_opposite_is_not_asked(tmp_path: Path) -> None:
    vlm = ScriptedVlm(p_yes=honest(0.9))
    with serving(vlm) as url:
        evaluator = Evaluator(Settings(home=tmp_path, profile="remote-vlm", vlm_url=url))
        evaluator.judge(observed(gliding(24)), "a red fox", channels=["semantic"])
    assert not any("does not show" in question for question in vlm.questions())
