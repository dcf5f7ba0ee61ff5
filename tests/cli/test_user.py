"""dqa user: everything kept of one user, given out, and deleted after a yes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.store import Store
from dqa.taste.style import Style
from tests.cli.conftest import Run
from tests.store.test_choices import fill


@pytest.fixture
def store(home: Path) -> Store:
    store = Store.open(Settings(home=home))
    fill(store, 3, "mira")
    fill(store, 2, "ole")
    return store


def test_export_to_a_file_and_to_stdout(cli: Run, store: Store, tmp_path: Path) -> None:
    done = cli("user", "export", "mira")
    assert done.code == 0
    assert done.err == ""
    assert [choice["test_id"] for choice in done.json["choices"]] == ["t0", "t1", "t2"]
    file = tmp_path / "mira.json"
    assert cli("user", "export", "mira", "--json").json.keys() == done.json.keys()
    assert cli("user", "export", "mira", "--output", file).out == ""
    written = json.loads(file.read_text())
    assert {**written, "created": ""} == {**done.json, "created": ""}
    assert cli("user", "export", "mira", "-o", tmp_path / "no" / "folder").code == 2
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_without_a_terminal_a_deletion_needs_yes(cli: Run, store: Store) -> None:
    refused = cli("user", "delete", "mira")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert len(store.selections.page("mira", 10)) == 3
    done = cli("user", "delete", "mira", "--yes", "--json")
    assert done.code == 0
    assert done.json["user"] == "mira"
    assert done.json["removed"]["selections"] == 3
    assert done.json["scrubbed"] is True
    assert store.selections.page("mira", 10) == []
    assert len(store.selections.page("ole", 10)) == 2
    again = cli("user", "delete", "mira", "--yes")
    assert (again.code, again.out) == (0, "mira: nothing is kept\n")


def test_a_person_reads_what_went(cli: Run, store: Store) -> None:
    done = cli("user", "delete", "mira", "--yes")
    assert "mira: deleted" in done.out
    assert "3 selections" in done.out


@pytest.mark.parametrize(("answer", "left"), [("n", 3), ("y", 0)])
def test_on_a_terminal_it_asks(store: Store, home: Path, answer: str, left: int) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dqa", "user", "delete", "mira"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DQA_HOME": str(home)},
    )
    os.close(terminal)
    os.write(controller, f"{answer}\n".encode())
    _, err = process.communicate(timeout=120)
    os.close(controller)
    assert "Delete everything kept of mira?" in err
    assert process.returncode == (130 if left else 0)
    assert len(store.selections.page("mira", 10)) == left


def test_choices_go_out_and_come_in_again(cli: Run, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "choices.jsonl"
    assert cli("choose", "--export", file, "--records", "--user", "mira").code == 0
    other = tmp_path / "other"
    done = cli("choose", "--import", file, "--home", other, "--json")
    assert (done.code, [line["new"] for line in done.lines]) == (0, [True] * 3)
    assert [line["user"] for line in done.lines] == ["mira"] * 3
    assert cli("choose", "--export", "-", "--user", "mira", "--home", other).lines == [
        {key: value for key, value in line.items() if key not in ("a", "b")}
        | {"a": line["a"]["id"], "b": line["b"]["id"]}
        for line in map(json.loads, file.read_text().splitlines())
    ]
    tasks = cli("choose", "--export", "-", "--format", "label-studio", "--user", "mira")
    assert [task["data"]["test_id"] for task in tasks.json] == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--export", "f", "--format", "csv"], "not a format"),
        (["--export", "f", "--import", "g"], "two commands"),
        (["--export", "f", "--a", "ev_1"], "writes the choices"),
        (["--import", "f", "--chosen", "a"], "its own choices"),
        (["--export", "f", "--format", "trl", "--records"], "--records"),
    ],
)
def test_what_does_not_go_together(cli: Run, store: Store, arguments: list[str], says: str) -> None:
    done = cli("choose", *arguments)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1


def test_ties_that_a_format_can_not_hold_are_told(cli: Run, store: Store, tmp_path: Path) -> None:
    assert cli("choose", "--a", "ev_mira0a", "--b", "ev_mira1a", "--chosen", "tie", "--user", "mira").code == 0
    store.styles.put("mira", own=Style(likes=("fog",)))
    done = cli("choose", "--export", tmp_path / "f", "--format", "trl", "--user", "mira")
    assert done.code == 0
    assert 'likes: "fog"' in json.loads((tmp_path / "f").read_text().splitlines()[0])["prompt"]
    assert "1 left out (ties)" in done.err
    assert len((tmp_path / "f").read_text().splitlines()) == 3
