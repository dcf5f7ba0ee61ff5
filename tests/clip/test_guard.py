from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dqa.clip.guard import open_regular, resolve_media
from dqa.errors import InputError, MediaNotFound, MediaRefused, UnsupportedMedia


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "sub").mkdir(parents=True)
    (tmp_path / "root" / "sub" / "in.mp4").write_bytes(b"x")
    (tmp_path / "secret.mp4").write_bytes(b"x")
    return tmp_path / "root"


@pytest.mark.parametrize("given", ["https://a.example/b.mp4", Path("https://a.example/b.mp4")])
def test_an_address_is_called_one(given: str | Path) -> None:
    with pytest.raises(MediaRefused, match="URLs are not fetched"):
        resolve_media(given, None)


def test_the_operator_may_read_anything(root: Path) -> None:
    assert resolve_media(root.parent / "secret.mp4", None) == root.parent / "secret.mp4"
    assert resolve_media(str(root / ".." / "secret.mp4"), None) == root.parent / "secret.mp4"


@pytest.mark.parametrize("given", ["sub/in.mp4", "./sub/../sub/in.mp4", "{root}/sub/in.mp4"])
def test_inside_the_roots(root: Path, given: str) -> None:
    assert resolve_media(given.format(root=root), [root]) == root / "sub" / "in.mp4"


def test_each_root_is_tried(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert resolve_media("sub/in.mp4", [other, root]) == root / "sub" / "in.mp4"


@pytest.mark.parametrize(
    "given",
    [
        "../secret.mp4",
        "sub/../../secret.mp4",
        "{root}/../secret.mp4",
        "{root}-sibling/x.mp4",
        "/etc/passwd",
        "/proc/self/environ",
        "../no-such-file.mp4",
        "\\\\server\\share\\x.mp4",
        "//server/share/x.mp4",
        "http://169.254.169.254/latest/",
        "file:///etc/passwd",
        "NUL",
        "sub/con.mp4",
        "sub\\COM1",
        "sub/in.mp4\0.png",
        "sub/in.mp4\r\nX-Header: 1",
        "sub/\x1b[2Jin.mp4",
    ],
)
def test_nothing_else_is(root: Path, given: str) -> None:
    (root.parent / "root-sibling").mkdir()
    (root.parent / "root-sibling" / "x.mp4").write_bytes(b"x")
    with pytest.raises(MediaRefused) as caught:
        resolve_media(given.format(root=root), [root])
    assert str(root.parent) not in caught.value.public()
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_link_out_of_the_roots_is_refused_and_one_within_is_followed(root: Path) -> None:
    (root / "out.mp4").symlink_to(root.parent / "secret.mp4")
    (root / "in.mp4").symlink_to(root / "sub" / "in.mp4")
    (root / "folder").symlink_to(root.parent)
    with pytest.raises(MediaRefused, match="outside"):
        resolve_media("out.mp4", [root])
    with pytest.raises(MediaRefused, match="outside"):
        resolve_media("folder/secret.mp4", [root])
    assert resolve_media("in.mp4", [root]) == root / "sub" / "in.mp4"


def test_a_root_that_is_itself_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert resolve_media("sub/in.mp4", [link]) == root / "sub" / "in.mp4"


def test_no_roots_allow_nothing(root: Path) -> None:
    with pytest.raises(MediaRefused):
        resolve_media(root / "sub" / "in.mp4", [])


@pytest.mark.parametrize("roots", [None, "root"])
def test_what_is_no_file(root: Path, roots: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = None if roots is None else [root]
    os.mkfifo(root / "pipe.mp4")
    (root / "loop.mp4").symlink_to(root / "loop.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # the path of a socket may hold 108 characters
        server.bind("s.mp4")
        cases = [("pipe.mp4", MediaRefused), ("s.mp4", MediaRefused), ("sub", UnsupportedMedia), ("", UnsupportedMedia)]
        missing = ["none.mp4", "sub/in.mp4/x", "loop.mp4", "x" * 5000, "\ud800.mp4"]
        for name, error in [*cases, *((name, MediaNotFound) for name in missing)]:
            with pytest.raises(error):
                resolve_media(root / name, allowed)


def test_devices_are_refused() -> None:
    with pytest.raises(MediaRefused):
        resolve_media("/dev/zero", None)


@pytest.mark.parametrize(
    "name", ["a; touch pwned; b.mp4", "$(id).mp4", "-rf.mp4", "`x` | y.mp4", "é 漢字 😀.mp4", "con.mp4"]
)
def test_odd_but_honest_names_are_fine_for_the_operator(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert resolve_media(tmp_path / name, None) == tmp_path / name


def test_open_does_not_follow_a_link_put_there_later(root: Path) -> None:
    path = resolve_media("sub/in.mp4", [root])
    path.unlink()
    path.symlink_to(root.parent / "secret.mp4")
    with pytest.raises(MediaRefused):
        open_regular(path)


def test_open_does_not_wait_on_a_pipe_put_there_later(root: Path) -> None:
    path = resolve_media("sub/in.mp4", [root])
    path.unlink()
    with pytest.raises(MediaNotFound):
        open_regular(path)
    os.mkfifo(path)
    with pytest.raises(MediaRefused):
        open_regular(path)


def test_every_refusal_is_the_users_to_mend(root: Path) -> None:
    for given in ("../x", "sub", "none"):
        with pytest.raises(InputError) as caught:
            resolve_media(given, [root])
        assert caught.value.exit_code == 3
        assert caught.value.fix
