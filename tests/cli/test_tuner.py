"""dqa tuner: what serves, what was rejected and why, going back and beginning anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from dqa.config import Settings
from dqa.store import Store, steps
from dqa.store.engine import writing
from dqa.store.selections import Selection
from dqa.store.tables import tuner_steps
from tests.cli.conftest import Run
from tests.store.test_versions import choose, learned, reject
from tests.store.world import engine_of


@pytest.fixture
def store(home: Path) -> Store:
    return Store.open(Settings(home=home))


def test_status_tells_what_serves_and_how_well(store: Store, cli: Run) -> None:
    assert "nothing learned yet" in cli("tuner", "status", "--user", "u").out
    learned(store, 12)
    out = cli("tuner", "status", "--user", "u").out
    assert "version 1 serves" in out
    assert "12 choices" in out
    assert "held-out accuracy: too few choices yet" in out
    assert "likes: " in out
    assert "smooth motion" in out.split("dislikes: ")[0]
    assert "jerky motion" in out.split("dislikes: ")[1]
    data = cli("tuner", "status", "--user", "u", "--json").json
    assert (data["version"], data["choices"], data["recorded"], data["profile"]) == (1, 12, 12, "embedded")
    assert data.keys() >= {"loss", "confidence", "patterns", "held_out", "likes", "dislikes", "position"}
    assert "covariance" not in data


def test_history_marks_what_serves_and_why_others_do_not(
    store: Store, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Store.open(Settings(home=store.media.folder.parent, taste_versions=2))
    learned(few, 3, 2)
    monkeypatch.setattr(steps, "gate", reject)
    choose(few, range(5, 6))
    few.tuner.step("u")
    few.close()
    lines = cli("tuner", "history", "--user", "u").out.splitlines()
    assert ["step 3" in lines[0], "step 2" in lines[1], "step 1" in lines[2]] == [True] * 3
    assert "[embedded; rejected: held-out loss 0.700 against 0.500]" in lines[0]
    assert "[embedded; serving]" in lines[1]
    assert "[embedded; not kept]" in lines[2]
    found = cli("tuner", "history", "--user", "u", "--json").lines
    assert [(r["training_step"], r["promoted"], r["kept"], r["serves"]) for r in found] == [
        (3, False, True, False),
        (2, True, True, True),
        (1, True, False, False),
    ]


def test_a_rejected_step_says_what_serves_on(store: Store, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    learned(store, 3)
    choose(store, range(3, 4))
    store.selections.add(Selection("u", "stranger", "v1", "v2", "a"))
    monkeypatch.setattr(steps, "gate", reject)
    out = cli("tuner", "step", "--user", "u").out
    assert "rejected: held-out loss 0.700 against 0.500; version 1 serves on" in out
    assert "not learned from: 1 because a clip has no evaluation here" in out


def test_rollback_and_reset(store: Store, cli: Run) -> None:
    learned(store, 3, 2)
    assert "version 1 serves" in cli("tuner", "rollback", "--user", "u").out
    assert cli("tuner", "rollback", "--to", "2", "--user", "u", "--json").json["version"] == 2
    done = cli("tuner", "reset", "--yes", "--user", "u")
    assert done.code == 0
    assert "no version serves" in done.out
    assert cli("tuner", "status", "--user", "u", "--json").json["version"] is None
    assert "no version serves" in cli("tuner", "status", "--user", "u").out
    assert cli("tuner", "rollback", "--user", "u", "--json").json["version"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["rollback", "--user", "nobody"], 3, "nothing was learned"),
        (["rollback", "--user", "u"], 3, "no version before 1"),
        (["rollback", "--to", "9", "--user", "u"], 3, "dqa tuner history"),
        (["rollback", "--to", "0", "--user", "u"], 2, "--to"),
        (["rollback", "--to", "1", "--profile", "x", "--user", "u"], 3, "profile x"),
        (["reset", "--yes", "--user", "nobody"], 3, "nothing was learned"),
        (["reset", "--user", "u"], 2, "--yes"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(store: Store, arguments: list[str], code: int, says: str) -> None:
    learned(store, 2)
    done = subprocess.run(
        [sys.executable, "-m", "dqa", "tuner", *arguments],
        capture_output=True,
        text=True,
        env=os.environ,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert store.tuner.state("u").serving == 1


def test_a_reset_is_asked_about_and_can_be_declined(store: Store) -> None:
    learned(store, 2)
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "dqa", "tuner", "reset", "--user", "u"]
    for answer, code, serving in ((b"n\n", 3, 1), (b"y\n", 0, None)):
        os.write(leader, answer)
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ, stdin=follower)
        assert done.returncode == code, done.stderr
        assert "[y/N]" in done.stderr
        assert store.tuner.state("u").serving == serving
    os.close(leader)
    os.close(follower)


@pytest.mark.parametrize("command", [("tuner", "status"), ("tuner", "history"), ("tuner", "step")])
def test_a_warning_of_the_store_is_no_line_of_json(store: Store, home: Path, command: tuple[str, ...]) -> None:
    learned(store, 4, 6)
    with writing(engine_of(store)) as connection:
        connection.execute(sa.update(tuner_steps).where(tuner_steps.c.version == 2).values(taste="{"))
    environment = {**os.environ, "DQA_HOME": str(home)}
    arguments = [sys.executable, "-m", "dqa", *command, "--user", "u", "--json"]
    done = subprocess.run(arguments, env=environment, text=True, capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert "can't be read" in (home / "logs" / "dqa.log").read_text()
    if command == ("tuner", "status"):
        assert told[0]["version"] == 1, "the one that really serves"


def test_status_tells_how_many_more_choices_it_takes(store: Store, cli: Run) -> None:
    learned(store, 19, 1)
    cli("tuner", "rollback", "--to", "1", "--user", "u")
    assert "learning: about 1 more choice until it judges a clip" in cli("tuner", "status", "--user", "u").out
    cli("tuner", "rollback", "--to", "2", "--user", "u")
    assert "learning" not in cli("tuner", "status", "--user", "u").out
