"""Weights of VisionReward's checklist from choices: found where choosers have their own, else refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.channels.visionreward.answers import Answers, Array
from dqa.channels.visionreward.axes import AXES
from dqa.channels.visionreward.checklist import Checklist, checklist
from dqa.channels.visionreward.refit import LEAST, AnsweredChoice, fitted_weights, refit
from dqa.channels.visionreward.reweighed import reweighed

VIDEO = checklist("video")
PUBLISHED = np.array([question.weight for question in VIDEO.questions])


def own_weights(seed: int = 1) -> Array:
    """What a chooser minds: a few questions far more than published, the rest less."""
    rng = np.random.default_rng(seed)
    factors = np.where(rng.random(len(PUBLISHED)) < 0.25, 6.0, 0.2)
    weights = PUBLISHED * factors
    for name in AXES:
        rows = np.array([q.axis == name for q in VIDEO.questions])
        weights[rows] *= PUBLISHED[rows].sum() / weights[rows].sum()
    return weights


def clip(rng: np.random.Generator) -> Answers:
    p_yes = rng.uniform(0.05, 0.95, len(VIDEO.questions)).tolist()
    return Answers("video", "j", tuple(p_yes), dict.fromkeys(VIDEO.gates, 1.0))


def choices(n: int, minds: Checklist, *, seed: int = 0, sharp: float = 30.0, a_prompt: int = 2) -> list[AnsweredChoice]:
    rng = np.random.default_rng(seed)
    found: list[AnsweredChoice] = []
    for i in range(n):
        a, b = clip(rng), clip(rng)
        p = 1 / (1 + np.exp(-sharp * (a.score(minds) - b.score(minds))))
        prompt = f"prompt {i // a_prompt}"
        found.append(AnsweredChoice(a, b, "a" if rng.random() < p else "b", (prompt, prompt), (f"{i}a", f"{i}b")))
    return found


def test_the_terms_add_up_to_the_channels_score() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        seen = clip(rng)
        assert PUBLISHED @ seen.terms(VIDEO) == pytest.approx(seen.score(VIDEO))
        own = own_weights()
        assert own @ seen.terms(VIDEO) == pytest.approx(seen.score(reweighed(VIDEO, own.tolist())))


def test_terms_with_gaps_and_gates_add_up_too() -> None:
    rng = np.random.default_rng(0)
    image = checklist("image")
    p_yes = tuple(None if i % 5 == 0 else float(p) for i, p in enumerate(rng.uniform(0, 1, len(image.questions))))
    seen = Answers("image", "j", p_yes, dict.fromkeys(image.gates, 0.3))
    weights = np.array([question.weight for question in image.questions])
    assert weights @ seen.terms(image) == pytest.approx(seen.score(image))


def test_a_chooser_with_other_weights_is_understood() -> None:
    own = reweighed(VIDEO, own_weights().tolist())
    found = refit("video", choices(500, own))
    assert found.refused == ""
    assert found.weights is not None
    weights = np.array(found.weights.weights)
    assert np.corrcoef(weights / PUBLISHED, own_weights() / PUBLISHED)[0, 1] > 0.5
    assert found.weights.wrong.after < found.weights.wrong.before
    assert found.weights.log_loss.low > 0


def test_a_chooser_who_minds_what_is_published_changes_nothing() -> None:
    taken = sum(refit("video", choices(200, VIDEO, seed=seed)).weights is not None for seed in range(6))
    assert taken <= 1


def test_random_choices_change_nothing() -> None:
    found = refit("video", choices(200, VIDEO, sharp=0.0))
    assert found.weights is None
    assert found.refused


def test_few_choices_change_nothing() -> None:
    found = refit("video", choices(39, VIDEO))
    assert "39 decided choices" in found.refused
    assert refit("video", []).weights is None


def test_few_prompts_change_nothing() -> None:
    assert "from 2 groups of prompts" in refit("video", choices(60, VIDEO, a_prompt=30)).refused


def test_choices_against_the_score_are_refused() -> None:
    turned = [
        AnsweredChoice(c.a, c.b, "b" if c.chosen == "a" else "a", c.prompts, c.clips) for c in choices(120, VIDEO)
    ]
    assert "not chosen more often" in refit("video", turned).refused


def test_swapping_the_sides_changes_nothing() -> None:
    made = choices(120, reweighed(VIDEO, own_weights().tolist()))
    swapped = [AnsweredChoice(c.b, c.a, "b" if c.chosen == "a" else "a", c.prompts, c.clips) for c in made]
    one, two = refit("video", made), refit("video", swapped)
    assert one.log_loss is not None
    assert two.log_loss is not None
    assert one.log_loss.after == pytest.approx(two.log_loss.after)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60))
def test_weights_stay_positive_and_sum_to_what_they_did_on_each_axis(seed: int, n: int) -> None:
    made = choices(n, reweighed(VIDEO, own_weights(seed).tolist()), seed=seed)
    gaps = np.array([c.a.terms(VIDEO) - c.b.terms(VIDEO) for c in made])
    weights = fitted_weights(gaps, np.array([float(c.chosen == "a") for c in made]), VIDEO)
    if weights is None:
        return
    assert (weights >= LEAST * PUBLISHED * (1 - 1e-9)).all()
    for name in AXES:
        rows = np.array([q.axis == name for q in VIDEO.questions])
        assert weights[rows].sum() == pytest.approx(PUBLISHED[rows].sum(), rel=1e-6)
