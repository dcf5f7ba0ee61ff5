"""Clean pairs and a split that lets nothing leak."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from dqa.taste.choice import Outcome
from dqa.taste.heavy.pairs import MIN_HELD_OUT, WEIGHT_CAP, Clip, Pair, Resolved, clean, split


def clip(name: str, brief: str = "p", text: str | None = None) -> Clip:
    return Clip(id=f"ev_{name}", video=name, brief=brief, text=text or f"motion {name}")


def choice(seq: int, a: str, b: str, chosen: Outcome, brief: str = "p") -> Resolved:
    return Resolved(seq, clip(a, brief), clip(b, brief), chosen)


def test_ties_make_no_pair() -> None:
    found = clean([choice(1, "a", "b", "tie"), choice(2, "c", "d", "b")])
    assert [(p.chosen.video, p.rejected.video) for p in found.pairs] == [("d", "c")]
    assert found.dropped == {"tie": 1}


def test_the_same_choice_again_weighs_more_up_to_a_cap_whichever_way_round() -> None:
    again = [choice(i, "a", "b", "a") for i in range(1, 3)] + [choice(i, "b", "a", "b") for i in range(3, 100)]
    pairs = clean(again).pairs
    assert len(pairs) == 1
    assert (pairs[0].weight, pairs[0].seq, pairs[0].chosen.video) == (WEIGHT_CAP, 99, "a")


def test_the_newest_word_counts() -> None:
    log = [choice(1, "a", "b", "a"), choice(2, "a", "b", "a"), choice(3, "b", "a", "a")]
    pairs = clean(log).pairs
    assert [(p.chosen.video, p.weight) for p in pairs] == [("b", 1)]
    assert clean(log).dropped["contradicted"] == 2
    assert clean([*log, choice(4, "a", "b", "tie")]).pairs == ()


def test_the_order_of_the_log_and_not_of_the_list_counts() -> None:
    assert clean([choice(3, "b", "a", "a"), choice(1, "a", "b", "a")]).pairs[0].chosen.video == "b"


def test_clips_that_can_not_be_told_apart_or_answer_other_prompts_are_left_out() -> None:
    same = Resolved(1, clip("a", text="x"), clip("b", text="x"), "a")
    across = Resolved(2, clip("a", "p"), clip("b", "q"), "a")
    twice = Resolved(3, clip("a"), Clip("ev_again", "a", "p", "y"), "a")
    assert clean([same, across, twice]).dropped == {"same evidence": 2, "different prompts": 1}


def pairs_of(count: int, prompts: int, seed: int = 0) -> list[Pair]:
    rng = random.Random(seed)
    return [
        Pair(clip(f"c{i}", f"p{rng.randrange(prompts)}"), clip(f"r{i}", f"p{i % prompts}"), 1, i) for i in range(count)
    ]


@given(st.integers(30, 200), st.integers(1, 60), st.integers(0, 5))
def test_no_prompt_and_no_video_is_on_both_sides(count: int, prompts: int, seed: int) -> None:
    rng = random.Random(seed)
    pairs = []
    for i in range(count):
        brief, videos = f"p{rng.randrange(prompts)}", rng.sample(range(3 * count), 2)
        pairs.append(Pair(clip(str(videos[0]), brief), clip(str(videos[1]), brief), 1, i))
    parts = split(pairs)
    assert sorted(p.seq for p in (*parts.train, *parts.held_out)) == list(range(count))
    for key in (lambda p: {p.chosen.brief, p.rejected.brief}, lambda p: {p.chosen.video, p.rejected.video}):
        sides = [set().union(*(key(p) for p in side)) if side else set() for side in (parts.train, parts.held_out)]
        assert not sides[0] & sides[1]


def test_a_fifth_is_held_out_and_mostly_the_same_as_before() -> None:
    pairs = [Pair(clip(f"c{i}", f"p{i}"), clip(f"r{i}", f"p{i}"), 1, i) for i in range(200)]
    small, large = split(pairs[:150]), split(pairs)
    assert len(large.held_out) == 40
    assert large.enough
    before = {p.seq for p in small.held_out}
    assert len(before & {p.seq for p in large.held_out}) >= 0.7 * len(before)


def test_too_few_to_hold_out_is_refused() -> None:
    one_prompt = [Pair(clip(f"c{i}"), clip(f"r{i}"), 1, i) for i in range(300)]
    assert not split(one_prompt).enough
    few = [Pair(clip(f"c{i}", f"p{i}"), clip(f"r{i}", f"p{i}"), 1, i) for i in range(2 * MIN_HELD_OUT - 1)]
    assert not split(few).enough
    assert split([*few, Pair(clip("c", "q"), clip("r", "q"), 1, 999)]).enough
