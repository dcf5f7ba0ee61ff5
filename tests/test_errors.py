"""Every error says what, where and how to mend it, survives a process boundary, and keeps paths to itself."""

from __future__ import annotations

import copy

import pytest

from dqa import errors
from dqa.errors import DQAError, UnsupportedMedia


def tree(kind: type[DQAError]) -> list[type[DQAError]]:
    """The errors of the ground floor; what a higher floor adds is its own matter."""
    children = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(below for child in children for below in tree(child))]


@pytest.mark.parametrize("kind", tree(DQAError), ids=lambda kind: kind.__name__)
def test_every_error_has_its_codes_and_is_drawn_in_the_tree(kind: type[DQAError]) -> None:
    assert kind.exit_code in (2, 3, 4)
    assert 400 <= kind.status < 600
    assert kind.__name__ in (errors.__doc__ or "")


def test_the_types_are_distinct() -> None:
    types = [kind.type for kind in tree(DQAError)]
    assert len(types) == len(set(types))


def test_the_sentence_says_where_and_the_public_one_does_not() -> None:
    error = UnsupportedMedia("not a video", fix="give an mp4 file", where="/home/me/secret.mp4")
    assert error.sentence() == "/home/me/secret.mp4: not a video; give an mp4 file."
    assert error.public() == "not a video; give an mp4 file."


def test_an_error_survives_copying() -> None:
    error = copy.copy(UnsupportedMedia("not a video", fix="f", where="w"))
    assert isinstance(error, UnsupportedMedia)
    assert error.sentence() == "w: not a video; f."
