"""Axes are data: the default set, and files that change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.calibrate.axes import Axes, default_axes, load_axes
from dqa.calibrate.wording import first_wording, swaps, wordings
from dqa.errors import InputError

HAT = """
[[axis]]
name = "hat"
group = "wardrobe"
definition = "The hat on the head, none without one."
lever = "wearing a {value} hat"
"""


def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "axes.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default_set_covers_every_group_and_names_only_axes_it_has() -> None:
    axes = default_axes()
    groups = {"identity", "body", "wardrobe", "action/pose", "affect", "camera", "render"}
    assert {axis.group for axis in axes} == groups
    assert len(set(axes.names)) == len(axes)
    for axis in axes:
        assert set(axis.depends) <= set(axes.names) - {axis.name}, axis.name


def test_every_value_of_the_default_set_can_be_said_in_more_than_one_way() -> None:
    for axis in default_axes():
        for value in axis.values or ():
            assert first_wording(axis, value.name)
        if not axis.values:
            assert len(wordings(axis, "x")) > 1, axis.name


def test_a_file_adds_replaces_and_drops(tmp_path: Path) -> None:
    own = HAT + '[[axis]]\nname = "mood"\ngroup = "affect"\ndefinition = "Mine."\nlever = ["{value}"]\n'
    axes = load_axes(file(tmp_path, 'drop = ["style"]\ndrop_groups = ["body"]\n' + own))
    assert "hat" in axes
    assert axes["mood"].definition == "Mine."
    assert axes.names.index("mood") == [n for n in default_axes().names if n not in ("build", "hair")].index("mood")
    assert not {"style", "build", "hair"} & set(axes.names)
    assert "clothing" in axes


def test_a_file_may_begin_with_none(tmp_path: Path) -> None:
    axes = load_axes(file(tmp_path, "defaults = false\n" + HAT))
    assert axes.names == ("hat",)
    assert wordings(axes["hat"], "red") == ("wearing a red hat",)
    assert load_axes(file(tmp_path, HAT), base=Axes(())).names == ("hat",)


def test_values_bring_their_own_words() -> None:
    framing = default_axes()["framing"]
    assert wordings(framing, "large")[0] == "large subject, close-up"
    assert "big" in swaps(framing, "large")
    assert swaps(default_axes()["background_colour"], "blue") == ("blue background",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[[axis]\nname = "x"', "line 1"),
        ('axes = "x"', "'axes'"),
        ("axis = 3", "list of tables"),
        ("axis = [3]", "axis 1"),
        ('[[axis]]\nname = "x"\ngroup = "g"\nlever = "{value}"', "axis 1 (x), definition"),
        (HAT + HAT, "axis 2 has the name 'hat'"),
        (HAT.replace('"hat"', '"Big Hat"'), "axis 1 (Big Hat), name"),
        (HAT.replace("{value}", "{colour}"), "lever"),
        (HAT.replace("{value}", "nothing"), "lever"),
        (HAT.replace("{value}", "{value} {0}"), "lever"),
        (HAT + "weight = 3", "axis 1 (hat), weight"),
        (HAT + 'measure = "size"', "brightness"),
        (HAT + 'measure = "brightness"', "needs values"),
        (HAT + 'values = [{name = "a"}, {name = "a"}]', "same name"),
        (HAT + 'values = [{name = "a", near = "c"}, {name = "b"}]', "'c'"),
        (HAT + 'values = [{name = "a", upto = 2}, {name = "b", upto = 1}, {name = "c"}]', "upto"),
        (HAT + "tolerance = -1", "tolerance"),
        ('drop = ["hats"]', "'hats'"),
        ('drop_groups = ["hats"]', "'hats'"),
        ("drop = 3", "drop"),
        ('defaults = "no"', "defaults"),
        ("defaults = false", "no axis"),
    ],
)
def test_a_malformed_file_is_one_sentence_that_names_the_place(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        load_axes(file(tmp_path, text))
    assert named in caught.value.sentence()
    assert "axes.toml" in caught.value.sentence()
    assert "\n" not in caught.value.sentence()


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_axes(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not TOML"):
        load_axes(tmp_path / "b.toml")


def test_no_more_axes_than_can_be_asked_about(tmp_path: Path) -> None:
    many = "".join(HAT.replace('"hat"', f'"hat{n}"') for n in range(101))
    with pytest.raises(InputError, match="more than 100"):
        load_axes(file(tmp_path, many))
