"""Styles: the user's own words and the block's, each replaced by itself, the user's own winning."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from dqa.store import Store
from dqa.store.engine import writing
from dqa.store.styles import Said
from dqa.store.tables import user_styles
from dqa.taste.style import NO_STYLE, Style

OWN = Style(likes=("wolf", "neon"), dislikes=("text",))
BLOCK = Style(likes=("warm", "text"), dislikes=("neon", "blur"))


def test_nobody_has_said_anything_yet(store: Store) -> None:
    assert store.styles.get("mira") == Said()
    assert store.styles.get("mira").style == NO_STYLE


def test_each_source_replaces_its_own_words_only(store: Store) -> None:
    assert store.styles.put("mira", own=OWN) == (Said(own=OWN), True)
    assert store.styles.put("mira", block=BLOCK) == (Said(own=OWN, block=BLOCK), True)
    assert store.styles.put("mira", block=BLOCK) == (Said(own=OWN, block=BLOCK), False)
    assert store.styles.put("mira", block=NO_STYLE)[0] == Said(own=OWN)
    assert store.styles.put("mira", own=NO_STYLE)[0] == Said()
    assert store.styles.get("somebody else") == Said()


def test_where_they_differ_the_user_s_own_word_counts() -> None:
    assert Said(own=OWN, block=BLOCK).style == Style(likes=("wolf", "neon", "warm"), dislikes=("text", "blur"))


def test_both_together_stay_bounded() -> None:
    many = [Style(likes=tuple(f"{side}{i}" for i in range(64))) for side in "ab"]
    assert len(Said(own=many[0], block=many[1]).style.likes) == 64


def test_it_survives_being_opened_again(store: Store) -> None:
    store.styles.put("mira", own=OWN, block=BLOCK)
    assert Said.model_validate_json(store.styles.get("mira").model_dump_json()) == Said(own=OWN, block=BLOCK)


def test_a_damaged_row_says_nothing_and_can_be_replaced(store: Store) -> None:
    with writing(store._engine) as connection:
        connection.execute(user_styles.insert().values(user="mira", style="{broken", updated="now"))
    assert store.styles.get("mira") == Said()
    store.styles.put("mira", own=OWN)
    assert store.styles.get("mira") == Said(own=OWN)


def test_writers_at_the_same_time_lose_nothing_of_each_other(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        for i in range(8):
            pool.submit(store.styles.put, "mira", own=OWN) if i % 2 else pool.submit(
                store.styles.put, "mira", block=BLOCK
            )
    assert store.styles.get("mira") == Said(own=OWN, block=BLOCK)
    with writing(store._engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(user_styles)) == 1
