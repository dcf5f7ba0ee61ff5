"""``dqa user style``: say it, show it, forget it."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_said_shown_and_forgotten(cli: Run) -> None:
    assert cli("user", "style").out.splitlines()[0] == "default likes nothing in particular"
    said = cli("user", "style", "--likes", "warm tones, no neon", "--likes", "wolves", "--dislikes", "text", "--json")
    assert (said.code, said.err) == (0, "")
    assert (said.json["likes"], said.json["dislikes"]) == (["warm tone", "wolf"], ["neon", "text"])
    assert said.json["own"]["likes"] == ["warm tone", "wolf"]
    assert cli("user", "style", "--json").json == said.json
    assert cli("user", "style").out == "default likes warm tone, wolf\ndefault dislikes neon, text\n"
    assert cli("user", "style", "--user", "mira", "--json").json["likes"] == []
    assert cli("user", "style", "--dislikes", "blur", "--json").json["likes"] == []
    assert cli("user", "style", "--clear", "--json").json["dislikes"] == []
