"""The light tier as a teacher: it says what the choices say, of clips that could be, and nothing of anybody else's."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dqa.taste.features import INDEX, NAMES
from dqa.taste.heavy.config import Example
from dqa.taste.heavy.rendering import SCORES, TAGS, read_features, render_features
from dqa.taste.heavy.teacher import Lesson, lessons
from tests.taste.heavy.renderings import DISLIKED, LIKED, choices, clip


def digits(text: str, name: str) -> float:
    return float(read_features(text)[INDEX[name]])


def slope(lesson: Lesson, name: str) -> float:
    """How much the teacher's reward rises from digit 0 to digit 9 of a score."""
    (asked,) = [a for a in lesson.asked if digits(a.texts[0], name) != digits(a.texts[9], name)]
    assert list(asked.rewards) in (sorted(asked.rewards), sorted(asked.rewards, reverse=True))
    return asked.rewards[9] - asked.rewards[0]


def test_a_text_is_read_back_as_it_was_told() -> None:
    rng = np.random.default_rng(3)
    for i in range(50):
        values = clip(rng, TAGS[: i % 4])
        values[rng.random(len(values)) < 0.2] = np.nan
        text = render_features(values)
        assert render_features(read_features(text)) == text


def test_a_word_that_is_part_of_another_name_is_not_taken_for_it() -> None:
    read = read_features("motion smoothness 2 tags none")
    assert np.isnan(read[INDEX["axis:motion"]])
    assert read[INDEX["dimension:motion_smoothness"]] == pytest.approx(-1.0)


def test_it_gives_what_the_user_likes_more_and_what_they_dislike_less() -> None:
    lesson = next(lessons(choices(120), 1, 0))
    liked, disliked, other = (slope(lesson, name) for name in (LIKED, DISLIKED, "look:contrast"))
    assert liked > 1
    assert disliked < -1
    assert abs(other) < min(liked, -disliked) / 2


def test_the_opposite_choices_teach_the_opposite() -> None:
    turned = [e.model_copy(update={"chosen": e.rejected, "rejected": e.chosen}) for e in choices(120)]
    assert slope(next(lessons(turned, 1, 0)), LIKED) < -0.5


def test_it_is_less_sure_of_a_user_who_often_slips() -> None:
    clean = choices(120)
    slipped = [
        e.model_copy(update={"chosen": e.rejected, "rejected": e.chosen}) if i % 4 == 0 else e
        for i, e in enumerate(clean)
    ]
    assert 0 < slope(next(lessons(slipped, 1, 0)), LIKED) < slope(next(lessons(clean, 1, 0)), LIKED) / 2


def test_a_choice_that_was_made_three_times_weighs_more() -> None:
    real = choices(6)
    heavy = [e.model_copy(update={"weight": 3}) for e in real]
    assert slope(next(lessons(heavy, 1, 0)), LIKED) > slope(next(lessons(real, 1, 0)), LIKED)


def test_a_clip_is_real_or_made_of_what_was_seen() -> None:
    real = choices(6)
    clips = {(e.prompt, text) for e in real for text in (e.chosen, e.rejected)}
    seen = {name: {digits(text, name) for _, text in clips} for name in SCORES}
    taught = list(lessons(real, 40, 0))
    assert len(taught) == 40
    assert 10 < sum((lesson.prompt, lesson.response) in clips for lesson in taught) < 30
    for lesson in taught:
        assert lesson.prompt in {r.prompt for r in real}
        assert all(digits(lesson.response, name) in seen[name] for name in SCORES)
        assert len(lesson.asked) == len(SCORES)
        assert all(lesson.response in a.texts and len(set(a.texts)) == 10 for a in lesson.asked)


def test_a_clips_reward_is_the_sum_over_its_scores() -> None:
    for lesson in lessons(choices(60), 20, 0):
        told = re.findall(r" (\d)(?= |$)", lesson.response.partition(" tags ")[0])
        assert len(told) == len(SCORES)
        assert lesson.reward == pytest.approx(sum(a.rewards[int(d)] for a, d in zip(lesson.asked, told, strict=True)))


def test_what_was_never_judged_stays_unknown_and_is_not_asked() -> None:
    unknown = [
        e.model_copy(update={k: re.sub("spatial .", "spatial ?", getattr(e, k)) for k in ("chosen", "rejected")})
        for e in choices(30)
    ]
    for lesson in lessons(unknown, 10, 0):
        assert "spatial ?" in lesson.response
        assert all("spatial ?" in text for a in lesson.asked for text in a.texts)


def test_the_same_again_for_the_same_seed_and_others_for_another() -> None:
    real = choices(30)
    assert list(lessons(real, 5, 5)) == list(lessons(real, 5, 5))
    assert list(lessons(real, 5, 5)) != list(lessons(real, 5, 6))


def test_texts_that_tell_nothing_teach_nothing() -> None:
    blank = render_features(np.full(len(NAMES), np.nan))
    assert list(lessons([Example(prompt="p", chosen=blank, rejected=f"{blank} dark", weight=1)], 2, 0)) == []
    assert list(lessons([], 2, 0)) == []


def test_where_little_is_known_every_lesson_has_something_to_teach() -> None:
    values = np.full(len(NAMES), np.nan)
    blank = render_features(values)
    values[INDEX[LIKED]] = 1.0
    known = render_features(values)
    rare = [
        Example(prompt="p", chosen=known if i == 0 else blank, rejected=f"{blank} dark", weight=1) for i in range(8)
    ]
    assert [len(lesson.asked) for lesson in lessons(rare, 20, 0)] == [1] * 20
