"""USER_SELECTIONS in both shapes and both block forms; one bad entry never hides the others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.agenthost.selections import read_selections

FIRST = {"test_id": "t1", "chosen": "v1", "rejected": "v2", "timestamp": "2026-01-02T03:04:05Z"}
SECOND = {"test_id": "t2", "variation_a": "v3", "variation_b": "v4", "chosen": "variation_b", "timestamp": "x"}
FORMS = [
    lambda entries: "ACTIVE_TEST: t9\nUSER_SELECTIONS: " + json.dumps(entries) + "\n# end\n",
    lambda entries: "USER_SELECTIONS: " + json.dumps(entries, indent=2) + "\nWINNING_PATTERNS: a, b\n",
    lambda entries: json.dumps({"VARIATIONS": [1], "USER_SELECTIONS": entries}),
    lambda entries: json.dumps({"USER_SELECTIONS": entries, "note": "}"}, indent=4),
]


@pytest.mark.parametrize("form", FORMS)
def test_both_shapes_in_every_form(form: Any) -> None:
    choices = read_selections(form([FIRST, SECOND]))
    assert [(s.test_id, s.a, s.b, s.chosen) for s in choices.selections] == [
        ("t1", "v1", "v2", "a"),
        ("t2", "v3", "v4", "b"),
    ]
    assert choices.problems == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (7, "not an object"),
        ({}, "test_id"),
        ({"test_id": "t"}, "chosen"),
        ({"test_id": "t", "chosen": "v1"}, "rejected"),
        ({"test_id": "t", "chosen": "v1", "rejected": "v1"}, "both sides"),
        ({"test_id": "t", "chosen": "variation_c", "variation_a": "p", "variation_b": "q"}, "variation_c"),
        ({"test_id": "t", "chosen": True, "rejected": "x"}, "chosen"),
        ({"test_id": "t1", "chosen": "v2", "rejected": "v1"}, "twice"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_bad_entry_is_reported_by_itself(form: Any, entry: Any, says: str) -> None:
    choices = read_selections(form([FIRST, entry, SECOND]))
    assert [s.test_id for s in choices.selections] == ["t1", "t2"]
    assert [p.index for p in choices.problems] == [1]
    assert says in choices.problems[0].error
    assert choices.problems[0].fix


def test_the_same_choice_twice_counts_once_and_is_no_problem() -> None:
    again = {"test_id": "t1", "variation_a": "v2", "variation_b": "v1", "chosen": "variation_b"}
    choices = read_selections(FORMS[0]([FIRST, again]))
    assert (len(choices.selections), choices.problems) == (1, [])


def test_a_broken_list_gives_every_entry_that_can_be_read() -> None:
    broken = (
        json.dumps([FIRST, SECOND])[:-1]
        + ', {"test_id": "t3", "chosen": oops}, '
        + json.dumps({**FIRST, "test_id": "t4"})
    )
    for text in (f"A: 1\nUSER_SELECTIONS: {broken}\nB: 2\n", f'{{"A": 1, "USER_SELECTIONS": {broken}]}}'):
        choices = read_selections(text)
        assert [s.test_id for s in choices.selections] == ["t1", "t2", "t4"]
        assert any("t3" in p.error for p in choices.problems)


def test_500_selections_read_in_one_go() -> None:
    many = [{**FIRST, "test_id": f"t{i}"} for i in range(500)]
    for form in FORMS:
        assert len(read_selections(form(many)).selections) == 500


@pytest.mark.parametrize("text", ["", "USER_SELECTIONS:", "USER_SELECTIONS: []", "{}", "nothing here", "{broken"])
def test_no_selections_is_no_crash(text: str) -> None:
    assert read_selections(text).selections == []


@given(st.text(max_size=300))
def test_never_raises(text: str) -> None:
    read_selections(text)
    read_selections("USER_SELECTIONS: [" + text)
    read_selections('{"USER_SELECTIONS": [' + text)


def test_a_flood_of_broken_entries_is_cut_off_and_said() -> None:
    choices = read_selections("USER_SELECTIONS: [" + '{"a":' * 100_000)
    assert len(choices.problems) < 600
    assert any("the rest was not read" in problem.error for problem in choices.problems)
