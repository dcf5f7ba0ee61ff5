"""When a taste speaks: enough is known along the pair, and enough different pairs were chosen between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.caps import caps, different, pairs_of
from dqa.taste.enough import KNOWN_ENOUGH, LEAST_PAIRS, USUAL, learning, more_choices, speaks
from dqa.taste.held_out import folds, held_out
from dqa.taste.learn import learn
from dqa.taste.prior import DEFAULT
from dqa.taste.recipe import recipe
from tests.taste.simulated import made


@given(st.floats(0, 0.999), st.floats(0, 500))
def test_it_says_how_many_more_exactly_while_it_does_not_speak(known: float, pairs: float) -> None:
    more = more_choices(known, pairs)
    assert (more == 0) == bool(speaks(np.array([known]), pairs)[0])
    assert more >= LEAST_PAIRS - pairs


def test_the_more_is_known_the_fewer_are_missing() -> None:
    assert more_choices(0, 0) == USUAL
    assert [more_choices(0.1, n) for n in (1, 5, 60)] == sorted(more_choices(0.1, n) for n in (1, 5, 60))
    assert more_choices(0.0, 30) > more_choices(0.1, 30) > more_choices(0.2, 30) > more_choices(KNOWN_ENOUGH, 30) == 0
    assert (learning(more_choices(0.9, LEAST_PAIRS - 1)), learning(2)) == (
        "about 1 more choice",
        "about 2 more choices",
    )


def test_a_pair_that_is_judged_again_is_still_one_pair() -> None:
    choices = made(1, 4)
    again = [*choices, *[replace(choices[0], clips=choices[0].clips[::-1])] * 30]
    assert different(pairs_of(again), caps(again)) == pytest.approx(4)
    unknown = [replace(c, clips=("", "")) for c in choices]
    assert different(pairs_of(unknown), caps(unknown)) == pytest.approx(4)
    assert different(pairs_of([]), caps([])) == 0
    assert learn(again, 1).pairs == pytest.approx(4)
    assert learn(again, 1).effective_choices == pytest.approx(6)


def test_held_out_figures_count_the_pairs_that_were_not_held_out() -> None:
    few, many = made(2, 22), made(2, 120)
    for choices, least in ((few, 1.0), (many, 0.0)):
        settled = recipe(choices, DEFAULT)
        found = held_out(settled, folds(choices))
        assert found is not None
        assert found.abstained >= least
    assert found.abstained < 0.5
