"""The planner (mission 1.3): what is together on the device, in which order, and that no phase exceeds the budget."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.config import Settings
from dqa.evaluation.residence import as_asked
from dqa.models.plan import Mode, Need, Plan, plan, plan_profile, shortage
from dqa.models.profiles import ChannelSpec, Component, Phase, Profile, load_profile, profile_names
from dqa.models.residency.steps import READS, Step
from dqa.record import ChannelName

BUDGETS = (8, 12, 16, 24, 80)


def component(name: str, phase: Phase, gb: float, *, default: bool = True) -> Component:
    return Component(
        id=name, role="r", phase=phase, memory_gb=gb, memory_source="stated", licence="MIT", default=default
    )


MISSION = (
    component("vlm", "verification", 6),
    component("proxyclip", "verification", 1),
    component("vbench", "benchmark", 4),
    component("preference-lm", "preference", 6),
    component("preference-training", "training", 18),
)
"""The design's own figures."""

STACK = {"vlm": 6.0, "clip": 1.0, "dino": 0.5, "towers": 3.0, "raft": 0.5}
USES: dict[ChannelName, tuple[str, ...]] = {
    "semantic": ("vlm",),
    "spatial": ("clip", "dino"),
    "benchmark": ("dino", "towers", "raft"),
    "visionreward": ("vlm",),
    "preference": (),
}


def profile(sizes: dict[str, float], uses: dict[ChannelName, tuple[str, ...]], *more: Component) -> Profile:
    return Profile(
        name="made", title="t", device="cuda", budget_gb=24, ready=True, can=("x",), cannot=("y",), sha256="0",
        channels={name: ChannelSpec(backend="b", components=some) for name, some in uses.items()},
        components=(*(component(name, "verification", gb) for name, gb in sizes.items()), *more),
    )  # fmt: skip


def test_the_design_s_stack_does_not_fit_together_with_training_but_fits_phase_by_phase() -> None:
    sequential = plan(MISSION, "sequential", 24)
    assert {p.name: p.gb for p in sequential.phases} == {
        "verification": 7, "benchmark": 4, "preference": 6, "training": 18,
    }  # fmt: skip
    assert sequential.peak_gb == 18
    assert sequential.fits


def test_auto_keeps_the_evaluation_resident_where_it_fits() -> None:
    assert plan(MISSION, "auto", 24).mode == "resident"
    assert plan(MISSION, "auto", 24).total_gb == 17
    assert plan(MISSION, "auto", 24).loads == 0
    assert plan(MISSION, "auto", 16).mode == "sequential"
    assert not plan(MISSION, "auto", 16).fits  # training takes 18


def test_a_model_that_two_channels_use_is_loaded_once_and_its_channels_run_side_by_side() -> None:
    made = plan_profile(profile(STACK, USES), "auto", 8)
    assert made.mode == "sequential"
    assert made.fits
    loads = [name for phase in made.evaluation for name in phase.load]
    assert sorted(loads) == sorted(set(loads)), "nothing is loaded twice in a round"
    order = [name for phase in made.evaluation for name in phase.channels]
    assert sorted(order) == sorted(USES)
    (vlm,) = [phase.channels for phase in made.evaluation if "vlm" in phase.components]
    assert {"semantic", "visionreward"} <= set(vlm)
    # The design's phase by phase needs more: the VLM and ProxyCLIP together, then VBench.
    assert made.loads <= plan_profile(profile(STACK, USES), "sequential", 8).loads


def test_what_two_neighbours_need_stays_between_them() -> None:
    sizes = {"vlm": 6.0, "clip": 1.0, "dino": 0.5, "towers": 5.5}
    uses: dict[ChannelName, tuple[str, ...]] = {"semantic": ("vlm",), "spatial": ("clip", "dino"),
                                                "benchmark": ("dino", "towers")}  # fmt: skip
    made = plan_profile(profile(sizes, uses), "auto", 6.5)
    assert made.fits
    assert sum("dino" in phase.load for phase in made.evaluation) <= 1


def test_a_small_model_stays_beside_where_there_is_room() -> None:
    uses: dict[ChannelName, tuple[str, ...]] = {"semantic": ("vlm",), "spatial": ("dino",), "benchmark": ("towers",)}
    made = plan_profile(profile({"vlm": 6, "towers": 5, "dino": 1}, uses), "auto", 8)
    assert made.loads == 2  # VLM and towers take turns; DINO fits beside either
    assert all("dino" in (*phase.components, *phase.kept) for phase in made.evaluation)


def test_a_phase_that_is_too_large_in_one_piece_is_cut_into_its_channels() -> None:
    made = plan_profile(profile({"vlm": 6, "clip": 3}, {"semantic": ("vlm",), "spatial": ("clip",)}), "sequential", 8)
    assert [phase.name for phase in made.phases] == ["semantic", "spatial"]
    assert made.fits


def test_models_that_nobody_asked_for_take_no_memory() -> None:
    opt_in = component("amt", "benchmark", 99, default=False)
    made = plan_profile(profile(STACK, USES, opt_in), "auto", 24)
    assert made.total_gb == sum(STACK.values())
    lm = component("preference-lm", "preference", 6)
    assert plan_profile(profile(STACK, USES, lm), "auto", 24).total_gb == sum(STACK.values()) + 6


def test_measured_figures_count_instead_of_declared_ones_and_work_on_top() -> None:
    made = plan_profile(profile(STACK, USES), "auto", 24, {"vlm": Need(8, 2.5, "measured")})
    assert made.total_gb == sum(STACK.values()) + 2
    assert made.peak_gb == made.total_gb + 2.5
    assert made.needs["vlm"].source == "measured"
    assert made.needs["clip"].source == "declared"


def test_what_can_not_fit_is_named_with_what_it_needs_and_what_to_do() -> None:
    stack = profile({**STACK, "vlm": 30}, USES)
    made = plan_profile(stack, "auto", 24)
    assert not made.fits
    told = shortage(made, made.evaluation, whose="profile made")
    assert told is not None
    assert told.type == "insufficient_vram"
    assert "vlm (30.00 GB, declared)" in told.sentence()
    assert "24 GB" in told.sentence()
    assert "DQA_BUDGET_GB" in told.sentence()
    roomy = plan_profile(stack, "auto", 80)
    assert shortage(roomy, roomy.evaluation, whose="profile made") is None


phases = st.sampled_from(["verification", "benchmark", "preference", "training"])
stacks = st.lists(st.tuples(phases, st.floats(0, 40)), max_size=8)


@settings(deadline=None)
@given(stack=stacks, mode=st.sampled_from(["auto", "resident", "sequential"]), budget=st.floats(0.1, 200))
def test_every_component_is_in_one_phase_and_a_plan_that_fits_never_exceeds_the_budget(
    stack: list[tuple[Phase, float]], mode: Mode, budget: float
) -> None:
    components = [component(str(i), phase, gb) for i, (phase, gb) in enumerate(stack)]
    made = plan(components, mode, budget)
    assert sorted(c for p in made.phases for c in p.components) == sorted(c.id for c in components)
    assert made.fits == all(p.gb <= budget for p in made.phases)
    assert plan(components, "sequential", budget).peak_gb <= plan(components, "resident", budget).peak_gb


names = st.sampled_from("abcdefgh")
sizes_of = st.fixed_dictionaries({name: st.floats(0.01, 30) for name in "abcdefgh"})
needs_of = st.fixed_dictionaries({name: st.lists(names, max_size=4, unique=True) for name in READS})
measured_of = st.dictionaries(names, st.tuples(st.floats(0.01, 30), st.floats(0, 6)), max_size=4)


@settings(deadline=None)
@given(sizes=sizes_of, uses=needs_of, figures=measured_of, budget=st.sampled_from(BUDGETS))
def test_no_plan_exceeds_8_12_16_24_or_80_gb(
    sizes: dict[str, float],
    uses: dict[ChannelName, list[str]],
    figures: dict[str, tuple[float, float]],
    budget: float,
) -> None:
    measured = {name: Need(gb, work, "measured") for name, (gb, work) in figures.items()}
    stack = profile(sizes, {name: tuple(some) for name, some in uses.items()})
    lone = component("spare", "synthesis", 0)
    made = plan_profile(stack.model_copy(update={"components": (*stack.components, lone)}), "auto", budget, measured)

    def takes(some: set[str]) -> float:
        whole = [measured.get(name) or Need(sizes[name]) for name in some if name in sizes]
        return sum(need.gb for need in whole) + max((need.work_gb for need in whole), default=0)

    alone = [takes({*uses[name], *_homeless(stack, uses, name)}) for name in uses]
    # A phase too small a budget for any order is the only reason not to fit.
    assert made.fits == all(gb <= budget for gb in alone) or any(abs(gb - budget) < 1e-9 for gb in alone)
    _check_rounds(made, {name: set(some) for name, some in uses.items()})
    if made.fits:
        for phase in made.evaluation:
            assert takes({*phase.components, *phase.kept}) <= budget + 1e-9


def _homeless(stack: Profile, uses: dict[ChannelName, list[str]], name: ChannelName) -> set[str]:
    """Components that no channel names run with the first channel of their phase, semantic here."""
    used = {each for some in uses.values() for each in some}
    return {c.id for c in stack.components if c.id not in used} if name == "semantic" else set()


def _check_rounds(made: Plan, uses: dict[ChannelName, set[str]]) -> None:
    """Goes through three rounds: loads and evictions add up, channels find what they need, readers come after."""
    order = [name for phase in made.evaluation for name in phase.channels]
    assert sorted(order) == sorted(uses)
    assert all(order.index(other) < order.index(name) for name in order for other in READS[name])
    last = made.evaluation[-1]
    loaded = {*last.components, *last.kept}
    for phase in made.evaluation * 3 if made.mode == "sequential" else ():
        loaded -= set(phase.evict)
        assert not loaded & set(phase.load)
        loaded |= set(phase.load)
        assert loaded == {*phase.components, *phase.kept}
        assert all(uses[name] <= set(phase.components) for name in phase.channels)


def test_no_order_with_steps_one_by_one_loads_less_in_a_small_case() -> None:
    """Against every order of single steps in which nothing that is not needed next is kept."""
    made = plan_profile(profile(STACK, USES), "auto", 8)
    orders = [o for o in itertools.permutations(USES) if all(o.index(b) < o.index(n) for n in o for b in READS[n])]

    def loads(order: tuple[ChannelName, ...]) -> int:
        pairs = itertools.pairwise((order[-1], *order))
        return sum(len(set(USES[now]) - set(USES[before])) for before, now in pairs)

    assert made.loads <= min(map(loads, orders))


def test_many_steps_keep_their_order() -> None:
    steps = [Step(str(i), (str(i % 3),), "verification") for i in range(9)]
    components = [component(str(i), "verification", 5) for i in range(3)]
    made = plan(components, "auto", 10, steps=steps)
    assert made.fits
    assert [n for phase in made.phases for n in phase.name.split("+")] == [step.name for step in steps]


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_is_readable_and_names_a_licence_for_every_model(name: str) -> None:
    profile = load_profile(name)
    assert profile.can
    assert profile.cannot
    for model in profile.components:
        assert model.licence.upper() not in ("", "UNKNOWN")
        assert model.memory_source


@pytest.mark.parametrize("name", profile_names())
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_profile_s_plan_keeps_within_the_budget_or_names_what_does_not(name: str, budget: float) -> None:
    for taste in (None, "some/language-model"):
        asked = as_asked(load_profile(name), Settings(home=Path("here"), taste_model=taste))
        made = plan_profile(asked, "auto", budget)
        assert all(phase.gb <= budget for phase in made.evaluation) or shortage(made, made.evaluation, whose=name)
        assert taste or all("preference" not in c for phase in made.phases for c in phase.components)
