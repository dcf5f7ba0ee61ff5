"""Versions of a taste: per profile, gated, kept, gone back to; damaged ones are passed over; each user for himself."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given
from hypothesis import strategies as st

from dqa.config import Settings
from dqa.errors import Conflict, UnavailableError, VersionNotFound
from dqa.store import Store, heads, steps
from dqa.store.engine import create
from dqa.store.heads import Range, merged, within
from dqa.store.keys import IdempotencyKey
from dqa.store.migrate import alembic_config
from dqa.store.restore import NotRestorable
from dqa.store.selections import Selection
from dqa.store.tables import tuner_heads, tuner_steps
from dqa.taste.features import INDEX
from dqa.taste.gate import Gate
from dqa.taste.prior import DEFAULT
from dqa.taste.style import Style
from tests.store.test_choices import evaluation, fill

SMOOTH = INDEX["dimension:motion_smoothness"]


def choose(store: Store, numbers: range, user: str = "u", profile: str = "embedded", chosen: str = "a") -> None:
    """Choices of someone who likes smooth motion (or, with ``b``, does not)."""
    for i in numbers:
        names = [f"{profile}{user}{i}{side}" for side in "ab"]
        for name, smooth in zip(names, (0.9, 0.3), strict=True):
            judged = evaluation(name, smooth).model_copy(update={"profile": profile, "user": user})
            store.save_record(judged, Path("a.mp4"))
        test_id = f"{profile}{i}"
        store.selections.add(Selection(user, test_id, f"ev_{names[0]}", f"ev_{names[1]}", chosen))  # type: ignore[arg-type]


def learned(store: Store, *counts: int) -> None:
    """Versions 1, 2, ... of user u, each with so many choices more."""
    done = 0
    for count in counts:
        choose(store, range(done, done + count))
        store.tuner.step("u")
        done += count


def serving(store: Store, user: str = "u") -> int | None:
    return store.tuner.state(user).serving


def overwrite(settings: Settings, version: int, **values: object) -> None:
    engine = create(settings.database)
    with engine.begin() as connection:
        connection.execute(tuner_steps.update().where(tuner_steps.c.version == version).values(**values))
    engine.dispose()


def key(name: str, body: str = "0") -> IdempotencyKey:
    return IdempotencyKey(name, "test", body * 64)


# -- profiles


def test_each_profile_has_a_taste_of_its_own_and_pairs_across_teach_nothing(store: Store) -> None:
    choose(store, range(3))
    choose(store, range(5), profile="rtx3090")
    store.selections.add(Selection("u", "across", "ev_embeddedu0a", "ev_rtx3090u0b", "a"))
    store.selections.add(Selection("u", "stranger", "ev_embeddedu0a", "ev_nobody", "a"))
    output = store.tuner.step("u")
    assert (output["profile"], output["training_step"], output["choices_seen"]) == ("rtx3090", 2, 5)
    assert output["unresolved"] == ["across", "stranger"]
    assert sorted(output["unresolved_because"]) == [  # type: ignore[type-var]
        "a clip has no evaluation here",
        "the clips were judged by different profiles",
    ]
    embedded, other = store.tuner.taste("u", "embedded", None), store.tuner.taste("u", "rtx3090", None)
    assert embedded is not None
    assert other is not None
    assert (embedded.choices, embedded.version, other.choices, other.version) == (3, 1, 5, 2)
    assert store.tuner.taste("u", "embedded", 2) is None, "a version of another profile judges nothing here"
    assert store.tuner.taste("u", "nothing", None) is None
    assert store.tuner.current("u") == other, "that of the newest head"
    assert store.tuner.step("u")["new_choices"] == 0


@pytest.mark.parametrize("clock", ["2026-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z", ""])
def test_what_changed_last_is_the_newest_whatever_the_clock_says(
    store: Store, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "now", lambda: "2026-01-01T00:00:00.000Z")
    profiles = ["b", "c", "a"]
    for profile in profiles:
        choose(store, range(2), profile=profile)
    monkeypatch.setattr(heads, "now", lambda: clock)  # it stands still, goes back, or tells nothing
    store.tuner.step("u")
    assert store.tuner.state("u").profile == "a", "all three were learned in one step; this has the newest choice"
    for profile in profiles:
        store.tuner.reset("u", profile)
        assert store.tuner.state("u").profile == profile


def test_choices_that_can_not_be_used_make_no_version(store: Store) -> None:
    store.selections.add(Selection("u", "stranger", "ev_1", "ev_2", "a"))
    assert store.tuner.step("u")["unresolved"] == ["stranger"]
    assert store.tuner.history("u") == []
    learned(store, 2)
    store.selections.add(Selection("u", "stranger2", "ev_1", "ev_2", "a"))
    told = store.tuner.step("u")
    assert (told["training_step"], told["new_choices"]) == (1, 0)
    assert told["unresolved"] == ["stranger", "stranger2"]


# -- the gate


def reject(*_: object, **__: object) -> Gate:
    return Gate(False, "rejected: held-out loss 0.700 against 0.500")


def test_a_rejected_version_is_kept_and_the_serving_one_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    learned(store, 10)
    first = store.tuner.current("u")
    choose(store, range(10, 13), chosen="b")
    with monkeypatch.context() as patched:
        patched.setattr(steps, "gate", reject)
        output = store.tuner.step("u")
    assert (output["promoted"], output["serving"], output["training_step"]) == (False, 1, 2)
    assert str(output["gate"]).startswith("rejected")
    assert store.tuner.current("u") == first
    assert store.tuner.step("u")["new_choices"] == 0, "its choices are consumed"
    told = store.tuner.told("u")
    assert told is not None
    assert first is not None
    assert told["patterns"] == list(first.patterns), "what is acted on is the serving version's"
    assert told["training_step"] == 2
    with pytest.raises(NotRestorable, match=r"never served \(rejected"):
        store.tuner.rollback("u", 2)
    choose(store, range(13, 14))
    third = store.tuner.step("u")
    assert (third["choices_seen"], third["serving"]) == (14, 3), "choices of a rejected step are learned with the next"


def test_a_fit_that_is_not_finite_never_serves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    learned(store, 3)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("nan")

    choose(store, range(3, 5))
    with monkeypatch.context() as patched:
        patched.setattr(steps, "learn", broken)
        output = store.tuner.step("u")
    assert (output["promoted"], output["serving"], output["loss"]) == (False, 1, None)
    assert "finite" in str(output["gate"])
    json.dumps(output, allow_nan=False)
    choose(store, range(5, 6))
    assert store.tuner.step("u")["choices_seen"] == 6


# -- going back


def test_a_rollback_serves_the_earlier_version_and_does_not_learn_the_rest_back(store: Store) -> None:
    learned(store, 6, 4)
    first = store.tuner.version("u", 1)
    store.tuner.rollback("u")
    assert store.tuner.current("u") == first
    again = store.tuner.step("u")
    assert (again["new_choices"], again["serving"]) == (0, 1)
    choose(store, range(10, 11))
    third = store.tuner.step("u")
    assert (third["training_step"], third["choices_seen"], third["new_choices"]) == (3, 7, 1)
    store.tuner.rollback("u")
    assert serving(store) == 1, "2 was left behind: 3 grew from 1"
    store.tuner.rollback("u", 2)
    assert serving(store) == 2
    choose(store, range(11, 12))
    assert store.tuner.step("u")["choices_seen"] == 11, "all but the one that only version 3 knew"


def test_a_reset_forgets_without_deleting_and_a_rollback_undoes_it(store: Store) -> None:
    learned(store, 3, 2)
    store.tuner.reset("u")
    assert store.tuner.current("u") is None
    assert store.tuner.taste("u", "embedded", None) is None
    told = store.tuner.told("u")
    assert told is not None
    assert (told["patterns"], told["serving"], told["training_step"]) == ([], None, 2)
    assert store.tuner.step("u")["serving"] is None
    choose(store, range(5, 6))
    fresh = store.tuner.step("u")
    assert (fresh["training_step"], fresh["choices_seen"], fresh["promoted"]) == (3, 1, True)
    with pytest.raises(VersionNotFound, match="no version before 3"):
        store.tuner.rollback("u")
    store.tuner.reset("u")
    store.tuner.rollback("u")
    assert serving(store) == 3, "after a reset, the newest"
    store.tuner.rollback("u", 2)
    choose(store, range(6, 7))
    assert store.tuner.step("u")["choices_seen"] == 6


def test_where_there_is_nothing_to_go_back_to_it_says_so(store: Store) -> None:
    for act in (store.tuner.rollback, store.tuner.reset):
        with pytest.raises(VersionNotFound, match="nothing was learned"):
            act("u")
    learned(store, 2)
    with pytest.raises(VersionNotFound, match="no version before 1"):
        store.tuner.rollback("u")
    with pytest.raises(VersionNotFound, match=r"no version 7 .*dqa tuner history"):
        store.tuner.rollback("u", 7)
    with pytest.raises(VersionNotFound, match="profile rtx3090"):
        store.tuner.rollback("u", 1, "rtx3090")
    with pytest.raises(VersionNotFound, match="profile rtx3090"):
        store.tuner.reset("u", "rtx3090")
    assert serving(store) == 1


def test_old_tastes_are_pruned_but_never_the_serving_one(store: Store, settings: Settings) -> None:
    few = Store.open(settings.model_copy(update={"taste_versions": 2}))
    learned(few, 2, 1)
    few.tuner.rollback("u", 1)
    for i in range(3, 6):
        choose(few, range(i, i + 1))
        few.tuner.step("u")
    kept = [v.version for v in few.tuner.state("u").versions if v.kept]
    assert kept == [5, 4]
    assert [v["training_step"] for v in few.tuner.history("u")] == [5, 4, 3, 2, 1], "what they told stays"
    assert few.tuner.version("u", 2) is None
    with pytest.raises(NotRestorable, match=r"not kept any more; kept are 4, 5"):
        few.tuner.rollback("u", 2)
    few.tuner.rollback("u", 4)
    with_gate = steps.gate
    steps.gate = reject  # type: ignore[assignment]
    try:
        for i in range(6, 10):
            choose(few, range(i, i + 1))
            few.tuner.step("u")
    finally:
        steps.gate = with_gate
    assert serving(few) == 4
    assert few.tuner.current("u") is not None, "it serves, however many newer ones were rejected"
    few.close()


# -- what was damaged, and what is old


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"version":2', '"version":1'),
        lambda text: json.dumps({**json.loads(text), "mean": [0.0]}),
        lambda text: json.dumps({**json.loads(text), "loss": float("nan")}),
        lambda _: "[]",
        lambda _: "",
    ],
)
def test_a_damaged_taste_gives_way_to_the_one_before(
    store: Store, settings: Settings, damage: Callable[[str], str]
) -> None:
    learned(store, 3, 2)
    first, second = store.tuner.version("u", 1), store.tuner.version("u", 2)
    assert second is not None
    overwrite(settings, 2, taste=damage(second.model_dump_json()))
    assert store.tuner.current("u") == first
    assert store.tuner.version("u", 2) is None
    with pytest.raises(NotRestorable):
        store.tuner.rollback("u", 2)
    healed = store.tuner.step("u")
    assert (healed["training_step"], healed["new_choices"], healed["serving"]) == (3, 0, 3)
    assert healed["choices_seen"] == 5
    assert store.tuner.step("u")["training_step"] == 3, "once"


@pytest.mark.parametrize("text", ["", "{", "7", '{"patterns": 3}', '{"loss": NaN}'])
def test_damaged_words_of_a_step_hide_no_version(store: Store, settings: Settings, text: str) -> None:
    learned(store, 3, 2)
    overwrite(settings, 2, output=text)
    newest = store.tuner.history("u")[0]
    assert (newest["training_step"], newest["patterns"], newest["loss"]) == (2, [], None)
    choose(store, range(5, 6))
    assert store.tuner.step("u")["choices_seen"] == 6


def test_a_taste_of_older_features_is_learned_anew_at_the_next_step(store: Store, settings: Settings) -> None:
    learned(store, 4)
    taste = store.tuner.current("u")
    assert taste is not None
    old = taste.model_copy(update={"features_version": 1})
    overwrite(settings, 1, taste=old.model_dump_json())
    assert store.tuner.current("u") == old
    output = store.tuner.step("u")
    assert (output["training_step"], output["new_choices"], output["promoted"]) == (2, 0, True)
    assert "earlier version" in str(output["gate"])
    assert store.tuner.step("u")["training_step"] == 2, "once"


def test_steps_of_a_database_without_heads_serve_as_they_did(store: Store, settings: Settings) -> None:
    learned(store, 3, 2)
    engine = create(settings.database)
    with engine.begin() as connection:
        connection.execute(sa.delete(tuner_heads))
    engine.dispose()
    assert serving(store) == 2
    assert store.tuner.step("u")["new_choices"] == 0
    store.tuner.rollback("u")
    assert serving(store) == 1


OLD_TASTE = {
    "version": 1, "features_version": 1, "features": ["axis:motion"], "choices": 3, "loss": 0.5, "confidence": 0.1,
    "typical": [0.0], "mean": [0.3], "covariance": [[0.1]], "patterns": [],
}  # fmt: skip
"""As the first version that learned from choices kept it."""


def test_a_database_of_the_first_tuner_goes_on_and_learns_its_choices_anew(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    engine = create(settings.database)
    with engine.begin() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        told = {"training_step": 1, "loss": 0.5, "new_patterns": [], "model_confidence": 0.1, "choices_seen": 3}
        told |= {"new_choices": 3, "unresolved": [], "patterns": [], "loss_trend": [0.5]}
        for i in range(3):
            insert = "INSERT INTO selections (user, test_id, a, b, chosen, source, created) VALUES (?,?,?,?,?,?,?)"
            row = ("u", f"old{i}", f"ev_embeddedu{i}a", f"ev_embeddedu{i}b", "a", "http", "2026-01-01T00:00:00Z")
            connection.exec_driver_sql(insert, row)
        connection.exec_driver_sql(
            "INSERT INTO tuner_steps (user, version, created, consumed, output, taste) VALUES (?,?,?,?,?,?)",
            ("u", 1, "2026-01-01T00:00:00Z", 3, json.dumps(told), json.dumps(OLD_TASTE)),
        )
    engine.dispose()
    store = Store.open(settings)
    for i in range(3):
        for side, smooth in (("a", 0.9), ("b", 0.3)):
            store.save_record(evaluation(f"embeddedu{i}{side}", smooth), Path("a.mp4"))
    assert serving(store) == 1
    assert store.tuner.current("u") is None, "weights of other features judge nothing"
    assert store.tuner.history("u")[0]["loss"] == 0.5
    output = store.tuner.step("u")
    assert (output["training_step"], output["new_choices"], output["choices_seen"]) == (2, 0, 3)
    taste = store.tuner.current("u")
    assert taste is not None
    assert taste.usable
    store.close()


# -- what comes in between, and what comes twice


def test_a_rollback_while_a_step_computes_is_not_undone_by_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    learned(store, 3, 2)
    choose(store, range(5, 6))
    compute, between = steps.make, [lambda: store.tuner.rollback("u", 1)]

    def interrupted(seen: steps.Seen) -> list[steps.Made]:
        made = compute(seen)
        if between:
            between.pop()()
        return made

    monkeypatch.setattr(steps, "make", interrupted)
    output = store.tuner.step("u")
    assert (output["new_choices"], output["serving"]) == (0, 1), "the choice came before the rollback: it is set aside"
    assert len(store.tuner.history("u")) == 2


def test_two_services_learn_from_each_choice_once(store: Store, settings: Settings) -> None:
    choose(store, range(6))
    services = [store, Store.open(settings), Store.open(settings)]
    with ThreadPoolExecutor(6) as pool:
        outputs = list(pool.map(lambda i: services[i % 3].tuner.step("u"), range(9)))
    assert sorted(int(str(o["new_choices"])) for o in outputs) == [0] * 8 + [6]
    assert len(store.tuner.history("u")) == 1
    for other in services[1:]:
        other.close()


def test_choices_that_are_deleted_while_a_step_computes_are_not_learned_from(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(store, range(4))
    compute = steps.make

    def interrupted(seen: steps.Seen) -> list[steps.Made]:
        made = compute(seen)
        store.users.delete("u")
        return made

    monkeypatch.setattr(steps, "make", interrupted)
    assert store.tuner.step("u")["choices_seen"] == 0
    assert store.tuner.history("u") == []


def test_a_style_that_changed_is_learned_with_at_the_next_step(store: Store) -> None:
    learned(store, 3)
    store.styles.put("u", own=Style.of(["warm light"]))
    output = store.tuner.step("u")
    assert (output["training_step"], output["new_choices"]) == (2, 0)
    taste = store.tuner.current("u")
    assert taste is not None
    assert taste.style == Style.of(["warm light"])
    assert store.tuner.step("u")["training_step"] == 2, "once"


def test_a_step_that_never_gets_through_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(store, range(2))
    monkeypatch.setattr(steps, "token", lambda *_: (object(),))
    with pytest.raises(UnavailableError, match="try again"):
        store.tuner.step("u")
    assert store.tuner.history("u") == []


def test_the_same_key_makes_nothing_new(store: Store) -> None:
    choose(store, range(3))
    first = store.tuner.step("u", key("k"))
    choose(store, range(3, 5))
    assert store.tuner.step("u", key("k")) == first
    with pytest.raises(Conflict):
        store.tuner.step("u", key("k", "1"))
    second = store.tuner.step("u", key("k2"))
    assert second["new_choices"] == 2
    nothing = store.tuner.step("u", key("k3"))
    assert nothing["new_choices"] == 0
    choose(store, range(5, 6))
    assert store.tuner.step("u", key("k3")) == nothing
    store.tuner.rollback("u", key=key("r"))
    store.tuner.rollback("u", key=key("r"))
    assert serving(store) == 1
    store.tuner.reset("u", key=key("s"))
    store.tuner.rollback("u", 2)
    store.tuner.reset("u", key=key("s"))
    assert serving(store) == 2
    one, again = (Selection("u", "keyed", "ev_1", "ev_2", "a") for _ in range(2))
    assert store.selections.add(one, key("c")) == store.selections.add(again, key("c"))
    with pytest.raises(Conflict):
        store.selections.add(one, key("c", "1"))


# -- users apart


def test_nothing_of_one_user_is_reached_by_another_s_name(store: Store) -> None:
    choose(store, range(6), "one")
    choose(store, range(4), "two", chosen="b")
    store.tuner.step("one")
    assert store.tuner.current("two") is None
    assert store.tuner.history("two") == []
    with pytest.raises(VersionNotFound):
        store.tuner.rollback("two", 1)
    store.tuner.step("two")
    mine, other = store.tuner.version("one", 1), store.tuner.version("two", 1)
    assert mine is not None
    assert other is not None
    assert (mine.choices, other.choices) == (6, 4)
    store.tuner.reset("two")
    assert serving(store, "one") == 1
    assert store.tuner.told("two") != store.tuner.told("one")
    for name in ("One", "one ", "", "%", "one' OR '1'='1"):
        assert store.tuner.state(name).taste is None
        assert store.tuner.step(name)["choices_seen"] == 0


def test_the_prior_is_what_at_least_three_others_have_in_common(store: Store) -> None:
    for name in ("one", "two", "three"):
        choose(store, range(12), name, chosen="b")
        store.tuner.step(name)
        taste = store.tuner.current(name)
        assert taste is not None
        assert taste.prior_mean[SMOOTH] == DEFAULT.mean[SMOOTH], "two others make no population"
    choose(store, range(1), "new")
    store.tuner.step("new")
    taste = store.tuner.current("new")
    assert taste is not None
    assert taste.prior_mean[SMOOTH] < DEFAULT.mean[SMOOTH], "the others dislike smooth motion"
    store.tuner.reset("one")
    choose(store, range(1, 2), "new")
    store.tuner.step("new")
    taste = store.tuner.current("new")
    assert taste is not None
    assert taste.prior_mean[SMOOTH] == DEFAULT.mean[SMOOTH], "one of them has no serving taste any more"


# -- ranges


ranges = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


@given(ranges, st.integers(0, 31))
def test_merging_ranges_changes_no_place(some: list[Range], seq: int) -> None:
    found = merged(some)
    assert within(found, seq) == within(some, seq)
    assert all(after < until for after, until in found)
    assert all(first[1] < second[0] for first, second in pairwise(found))


def test_filling_still_learns(store: Store) -> None:
    fill(store, 2)
    assert store.tuner.step("u", again=True)["training_step"] == 1
    assert store.tuner.step("u", again=True)["training_step"] == 2, "asked for even without news"


def test_a_flood_of_random_votes_does_not_take_over_a_taste(store: Store) -> None:
    rng = random.Random(3)

    def vote(numbers: range, honest: bool) -> None:
        for i in numbers:
            for side, smooth in (("a", 0.9), ("b", 0.3)):
                judged = evaluation(f"flood{i}{side}", smooth).model_copy(update={"prompt": f"prompt {i}"})
                store.save_record(judged, Path("a.mp4"))
            chosen = "a" if honest else rng.choice("ab")
            store.selections.add(Selection("u", f"v{i}", f"ev_flood{i}a", f"ev_flood{i}b", chosen))  # type: ignore[arg-type]

    vote(range(60), honest=True)
    assert store.tuner.step("u")["serving"] == 1
    vote(range(60, 260), honest=False)
    output = store.tuner.step("u")
    assert (output["promoted"], output["serving"], output["new_choices"]) == (False, 1, 200)
    assert "rejected" in str(output["gate"])
