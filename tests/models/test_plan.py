"""The memory calculator (mission 1.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.models.plan import Mode, plan
from dqa.models.profiles import Component, Phase, load_profile, profile_names


def component(name: str, phase: Phase, gb: float) -> Component:
    return Component(id=name, role="r", phase=phase, memory_gb=gb, memory_source="stated", licence="MIT")


REFERENCE = load_profile("rtx3090").components


def test_the_design_s_stack_does_not_fit_together_with_training_but_fits_phase_by_phase() -> None:
    sequential = plan(REFERENCE, "sequential", 24)
    assert {p.name: p.gb for p in sequential.phases} == {
        "verification": 7, "benchmark": 4, "preference": 6, "training": 18,
    }  # fmt: skip
    assert sequential.peak_gb == 18
    assert sequential.fits


def test_auto_keeps_the_evaluation_resident_where_it_fits() -> None:
    assert plan(REFERENCE, "auto", 24).mode == "resident"
    assert plan(REFERENCE, "auto", 24).total_gb == 17
    assert plan(REFERENCE, "auto", 16).mode == "sequential"
    assert not plan(REFERENCE, "auto", 16).fits  # training takes 18


phases = st.sampled_from(["verification", "benchmark", "preference", "training"])
stacks = st.lists(st.tuples(phases, st.floats(0, 40)), max_size=8)


@given(stack=stacks, mode=st.sampled_from(["auto", "resident", "sequential"]), budget=st.floats(0.1, 200))
def test_every_component_is_in_one_phase_and_a_plan_that_fits_never_exceeds_the_budget(
    stack: list[tuple[Phase, float]], mode: Mode, budget: float
) -> None:
    components = [component(str(i), phase, gb) for i, (phase, gb) in enumerate(stack)]
    made = plan(components, mode, budget)
    assert sorted(c for p in made.phases for c in p.components) == sorted(c.id for c in components)
    assert made.fits == all(p.gb <= budget for p in made.phases)
    assert plan(components, "sequential", budget).peak_gb <= plan(components, "resident", budget).peak_gb


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_readable_and_names_a_licence_for_every_model(name: str) -> None:
    profile = load_profile(name)
    assert profile.can
    assert profile.cannot
    for model in profile.components:
        assert model.licence.upper() not in ("", "UNKNOWN")
        assert model.memory_source
