"""Ratings in their scales, and lines that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.acceptance.ratings import Ratings, read_ratings, scale_of
from dqa.errors import InputError


def read(folder: Path, *lines: str, key: str = "rating") -> Ratings:
    path = folder / "r.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_ratings(path, key)


def line(rating: str, more: str = "") -> str:
    return f'{{"media": "a.mp4", "prompt": "a wolf", "rating": {rating}{more}}}'


@pytest.mark.parametrize(
    ("ratings", "values"),
    [
        (["1", "3", "5", "3.5"], [0, 0.5, 1, 0.625]),
        (["0.2", "1", "0.75"], [0.2, 1, 0.75]),
        (["0", "1"], [0, 1]),
        (["true", "false"], [1, 0]),
        (['"accept"', '"Rejected"', "4"], [1, 0, 0.75]),
    ],
)
def test_scales_are_known_by_their_numbers(tmp_path: Path, ratings: list[str], values: list[float]) -> None:
    found = read(tmp_path, *map(line, ratings))
    assert found.refused == []
    assert [clip.value for clip in found.clips] == values


def test_a_lines_own_scale_counts(tmp_path: Path) -> None:
    found = read(tmp_path, line("1", ', "scale": "mos"'), line("1", ', "scale": "likert"'), line("1"))
    assert [clip.value for clip in found.clips] == [1, 0]
    assert "can't be told" in found.refused[0].sentence()
    assert found.refused[0].where == "line 3"


def test_a_slip_does_not_cost_the_others(tmp_path: Path) -> None:
    found = read(tmp_path, line("4"), line("44"), line("2"))
    assert [clip.value for clip in found.clips] == [0.75, 0.25]
    assert "line 2: the rating is 44, and on the scale likert it is from 1 to 5" in found.refused[0].sentence()


def test_media_start_at_the_files_folder_and_ids_stay(tmp_path: Path) -> None:
    found = read(tmp_path, line("4"), '{"evaluation": "ev_1", "rating": 2}', '{"evaluation": "r.json", "rating": 2}')
    assert found.clips[0].media == tmp_path / "a.mp4"
    assert [clip.evaluation for clip in found.clips[1:]] == ["ev_1", str(tmp_path / "r.json")]
    assert [clip.line for clip in found.clips] == [1, 2, 3]


def test_lines_without_a_rating_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, '{"file": "a.mp4"}', "", '{"human": {"overall": 3}, "file": "a.mp4", "prompt": "a"}',
                 key="human.overall")  # fmt: skip
    assert (found.unrated, len(found.clips), found.refused) == (1, 1, [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "not JSON"),
        ("[1]", "not a JSON object"),
        (line("[1]"), "not a number"),
        (line("Infinity"), "not a number"),
        (line("9" * 400), "not a number"),
        (line("-" + "9" * 400), "not a number"),
        (line("9" * 5000), "not JSON"),
        ('{"rating": 4}', '"media"'),
        ('{"media": "a\\u0000", "prompt": "a", "rating": 4}', '"media"'),
        ('{"media": "a.mp4", "rating": 4}', '"prompt"'),
        ('{"media": "a.mp4", "prompt": "", "rating": 4}', "prompt is empty"),
        ('{"media": "a.mp4", "evaluation": "ev_1", "prompt": "a", "rating": 4}', "a clip and an evaluation"),
        ('{"evaluation": 7, "rating": 4}', '"evaluation" is not text'),
        (line("4", ', "scale": "stars"'), "likert, binary, mos"),
        ('{"a":' * 5000, "not JSON"),
    ],
)
def test_bad_lines_are_told_with_their_number(tmp_path: Path, text: str, said: str) -> None:
    found = read(tmp_path, line("4"), text)
    assert len(found.clips) == 1
    assert found.refused[0].where == "line 2"
    assert said in found.refused[0].sentence()


def test_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_ratings(tmp_path)


@given(st.lists(st.sampled_from([1, 2, 3, 4, 5]), min_size=1))
def test_points_are_never_taken_for_opinions(numbers: list[int]) -> None:
    assert scale_of(numbers) == ("likert" if max(numbers) > 1 else None)
