"""The profiles as they ship: what they name exists, is pinned, licensed and accounted for, and fits their budget."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dqa.channels.registry import BACKENDS, build_channel
from dqa.config import Settings
from dqa.errors import ConfigError
from dqa.evaluation.residence import as_asked
from dqa.evaluator import Evaluator
from dqa.models import pool, profiles
from dqa.models.plan import plan_profile
from dqa.models.pool import ModelPool
from dqa.models.profiles import (
    Component,
    FilePin,
    Profile,
    chosen_profile,
    load_profile,
    profile_names,
    whole,
    with_vlm,
)

LOADERS = {**pool.LOADERS, **pool.ENDPOINTS, **pool.FOUND, **pool.SNAPSHOTS}
NOT_FOR_ALL = re.compile(r"\bNC\b|non-?commercial|research", re.IGNORECASE)
ALL = [load_profile(name) for name in profile_names()]
COMPONENTS = [(profile, component) for profile in ALL for component in profile.components]


def named(given: object) -> str:
    return given.name if isinstance(given, Profile) else given.id if isinstance(given, Component) else "?"


def test_the_machines_of_the_mission_have_a_profile() -> None:
    assert {"embedded", "laptop", "remote-vlm", "rtx3090", "rtx4090", "h200"} <= set(profile_names())


@pytest.mark.parametrize("profile", ALL, ids=named)
def test_every_channel_is_built_from_what_there_is(profile: Profile, tmp_path: Path) -> None:
    assert set(profile.channels) == {"semantic", "spatial", "benchmark", "visionreward", "preference"}
    ids = [component.id for component in profile.components]
    assert len(ids) == len(set(ids))
    models = ModelPool(profile, tmp_path, Settings(home=tmp_path))
    for name, spec in profile.channels.items():
        assert spec.backend in BACKENDS
        assert set(spec.components) <= set(ids)
        channel = build_channel(name, spec, models)
        assert channel.facts.name == name
        assert channel.model.licence or name == "preference"
    assert not models.resident, "building a judge loads nothing"


@pytest.mark.parametrize(("profile", "component"), COMPONENTS, ids=named)
def test_every_component_says_what_it_is(profile: Profile, component: Component) -> None:
    assert component.profile == profile.name
    assert component.licence
    assert component.memory_source
    assert component.loader is None or component.loader in LOADERS
    if component.loader is not None:
        assert component.weakness
    if component.free:
        assert not NOT_FOR_ALL.search(component.licence), "what is not free for all use is asked for by name"
    if component.hub is not None:
        assert component.on_hub
        assert re.fullmatch(r"[0-9a-f]{40}", str(component.revision))
        assert component.size_mb
    if component.loader in pool.SNAPSHOTS and component.hub is None:
        assert component.origin
        assert not component.default


def test_one_model_has_one_revision_in_all_profiles() -> None:
    pins: dict[str, set[tuple[str | None, float | None, str]]] = {}
    for _, component in COMPONENTS:
        if component.hub is not None:
            pins.setdefault(component.hub, set()).add((component.revision, component.size_mb, component.licence))
    assert {hub: found for hub, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("profile", ALL, ids=named)
def test_each_fits_its_own_budget(profile: Profile) -> None:
    assert plan_profile(profile, "auto", profile.budget_gb).fits


@pytest.mark.parametrize("name", ["rtx3090", "rtx4090", "h200"])
@pytest.mark.parametrize(
    ("wanted", "hub"),
    [
        ("vlm-4b", "Qwen/Qwen3-VL-4B-Instruct"),
        ("vlm-qwen3.5-9b", "Qwen/Qwen3.5-9B"),
        ("vlm-internvl-8b", "OpenGVLab/InternVL3_5-8B-HF"),
    ],
)
def test_another_vision_language_model_takes_the_place_of_the_usual_one(
    name: str, wanted: str, hub: str, tmp_path: Path
) -> None:
    usual = load_profile(name)
    other = chosen_profile(Settings(home=tmp_path, profile=name, vlm_component=wanted))
    assert other.component(wanted).hub == hub
    assert other.component(wanted).role == usual.component("vlm").role
    for channel, spec in usual.channels.items():
        there = tuple(wanted if component == "vlm" else component for component in spec.components)
        assert other.channels[channel].components == there
    assert [(other.component(c).default, usual.component(c).default) for c in (wanted, "vlm")] == [
        (True, False), (False, True),
    ]  # fmt: skip
    made = plan_profile(as_asked(other, Settings(home=tmp_path)), "auto", other.budget_gb)
    loaded = {component for phase in made.phases for component in phase.components}
    assert made.fits
    assert wanted in loaded
    assert "vlm" not in loaded
    assert other.sha256 != usual.sha256, "its scores are others"
    judge = Evaluator(Settings(home=tmp_path, profile=name, vlm_component=wanted))._judges.channel("semantic")
    assert judge.model.id == wanted


def test_the_usual_model_by_its_name_changes_nothing_and_an_unknown_one_is_an_error() -> None:
    usual = load_profile("rtx3090")
    assert with_vlm(usual, None) == with_vlm(usual, "vlm") == usual
    with pytest.raises(ConfigError) as error:
        with_vlm(usual, "raft")
    told = error.value.sentence()
    assert told.startswith("DQA_VLM_COMPONENT: profile rtx3090 has no vision-language model 'raft' to choose")
    assert "use one of vlm, vlm-4b, vlm-qwen3.5-9b, vlm-internvl-8b" in told
    with pytest.raises(ConfigError, match="no vision-language model"):
        with_vlm(load_profile("embedded"), "vlm")


def test_a_model_of_several_files_has_one_hash_whatever_their_order() -> None:
    pins = {name: FilePin(sha256=name * 64, size=1) for name in "ab"}
    made = [
        Component(
            id="x", role="r", phase="verification", memory_gb=0, memory_source="s", licence="MIT", files=dict(order)
        ).identity()
        for order in (pins.items(), reversed(pins.items()))
    ]
    assert made[0] == made[1]
    assert made[0].sha256 == whole({name: pin.sha256 for name, pin in pins.items()}) != whole({"a": "a" * 64})


def test_a_profile_that_is_not_there_or_malformed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="laptop"):
        load_profile("nonesuch")
    monkeypatch.setattr(profiles, "deployment_folder", lambda _: tmp_path)
    for text in ("components = 1", "[[components]]\nid = 'x'", "components = [1]", "="):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(ConfigError, match=r"bad\.toml"):
            load_profile("bad")
