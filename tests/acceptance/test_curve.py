"""A calibrating curve never turns the order of two scores round, to the last bit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.acceptance.beta import LEAST, Beta
from dqa.acceptance.curve import Curve
from dqa.errors import InputError

units = st.floats(0, 1)
slopes = st.floats(LEAST, 8)
betas = st.builds(Beta, slopes, slopes, st.floats(-3, 3))


@given(beta=betas, one=units, two=units)
def test_a_higher_score_never_gets_a_lower_value(beta: Beta, one: float, two: float) -> None:
    curve = Curve(beta.knots())
    low, high = sorted((one, two))
    assert 0.0 <= curve(low) <= curve(high) <= 1.0


@given(beta=betas, score=units)
def test_neighbours_keep_their_order_too(beta: Beta, score: float) -> None:
    curve = Curve(beta.knots())
    assert curve(score) <= curve(math.nextafter(score, 1.0))


@given(beta=betas, score=units)
def test_clearly_different_scores_stay_different(beta: Beta, score: float) -> None:
    curve = Curve(beta.knots())
    assert curve(score * 0.99) < curve(score * 0.99 + 0.01)


@given(beta=betas, score=st.floats(0.01, 0.99))
def test_the_inverse_leads_back(beta: Beta, score: float) -> None:
    curve = Curve(beta.knots())
    assert curve.inverse(curve(score)) == pytest.approx(score, abs=1e-6)


def test_the_inverse_ends_where_the_curve_does() -> None:
    curve = Curve(((0.0, 0.2), (1.0, 0.8)))
    assert curve.inverse(0.1) == 0.0
    assert curve.inverse(0.9) == 1.0


@pytest.mark.parametrize(
    "knots",
    [
        ((0.0, 0.1),),
        ((0.0, 0.1), (0.9, 0.2)),
        ((0.0, 0.2), (0.5, 0.1), (1.0, 0.8)),
        ((0.0, 0.2), (0.5, 0.2), (1.0, 0.8)),
        ((0.0, float("nan")), (1.0, 0.8)),
        ((0.0, 0.2), (1.0, 1.1)),
    ],
)
def test_what_does_not_rise_is_no_curve(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(InputError, match="do not rise"):
        Curve(knots)
