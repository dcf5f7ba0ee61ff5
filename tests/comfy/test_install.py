"""The node pack in a ComfyUI folder: put there, brought up to date, taken out; nothing of anybody else's is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dqa.comfy import install as installing
from dqa.comfy.install import MARKER, PACK, install, remove
from dqa.errors import UnavailableError, UsageError


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """As little of a ComfyUI folder as tells it from another, with another pack in it."""
    folder = tmp_path / "ComfyUI"
    (folder / "custom_nodes" / "others").mkdir(parents=True)
    (folder / "custom_nodes" / "others" / "__init__.py").write_text("NODE_CLASS_MAPPINGS = {}\n")
    (folder / "comfy").mkdir()
    return folder


@pytest.fixture
def older(comfy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The pack of an older version, installed: one file that is gone by now, one that says something else."""
    pack = tmp_path / "older" / "dqa"
    (pack / "web").mkdir(parents=True)
    (pack / "__init__.py").write_text("OLD = 1\n")
    (pack / "errors.py").write_text("OLD = 2\n")
    (pack / "web" / "gone.js").write_text("// old\n")
    with monkeypatch.context() as patched:
        patched.setattr(installing, "PACK", pack)
        install(comfy)
    return comfy / "custom_nodes" / "dqa"


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


SHIPPED = tree(PACK)


def test_it_is_put_there_once(comfy: Path) -> None:
    first = install(comfy)
    assert (first.action, first.path) == ("installed", comfy / "custom_nodes" / "dqa")
    found = tree(first.path)
    assert {name: data for name, data in found.items() if name != MARKER} == SHIPPED
    assert install(comfy).action == "unchanged"
    assert tree(first.path) == found
    assert sorted(path.name for path in (comfy / "custom_nodes").iterdir()) == ["dqa", "others"]


def test_an_older_one_is_brought_up_to_date(comfy: Path, older: Path) -> None:
    assert install(comfy).action == "upgraded"
    assert {name: data for name, data in tree(older).items() if name != MARKER} == SHIPPED
    assert install(comfy).action == "unchanged"
    assert sorted(path.name for path in (comfy / "custom_nodes").iterdir()) == ["dqa", "others"]


def test_what_was_changed_or_added_is_named_and_kept(comfy: Path, older: Path) -> None:
    (older / "errors.py").write_text("MINE = 1\n")
    (older / "notes.txt").write_text("mine too\n")
    (older / "__pycache__").mkdir()
    done = install(comfy)
    assert (done.action, done.kept) == ("upgraded", ("errors.py", "notes.txt"))
    assert (older / "errors.py").read_text() == "MINE = 1\n"
    assert (older / "notes.txt").read_text() == "mine too\n"
    assert (older / "nodes.py").read_bytes() == SHIPPED["nodes.py"]
    assert install(comfy).kept == done.kept, "still known as changed"
    forced = install(comfy, force=True)
    assert forced.kept == ("notes.txt",)
    assert (older / "errors.py").read_bytes() == SHIPPED["errors.py"]
    assert (older / "notes.txt").read_text() == "mine too\n"


def test_a_file_that_is_missing_comes_back(comfy: Path) -> None:
    place = install(comfy).path
    (place / "nodes.py").unlink()
    assert install(comfy).action == "upgraded"
    assert (place / "nodes.py").read_bytes() == SHIPPED["nodes.py"]


def test_removed_it_leaves_nothing_but_what_is_somebodys(comfy: Path) -> None:
    place = install(comfy).path
    (place / "__pycache__").mkdir()
    assert remove(comfy).action == "removed"
    assert not place.exists()
    assert remove(comfy).action == "absent"
    install(comfy)
    (place / "nodes.py").write_text("MINE = 1\n")
    assert remove(comfy).kept == ("nodes.py",)
    assert tree(place) == {"nodes.py": b"MINE = 1\n"}
    with pytest.raises(UsageError, match="something else has the name"):
        install(comfy, force=True)
    assert (comfy / "custom_nodes" / "others" / "__init__.py").is_file()


def test_a_link_instead_of_a_copy_and_back(comfy: Path) -> None:
    assert install(comfy, link=True).action == "linked"
    place = comfy / "custom_nodes" / "dqa"
    assert place.is_symlink()
    assert place.resolve() == PACK.resolve()
    assert install(comfy, link=True).action == "unchanged"
    assert install(comfy).action == "installed"
    assert not place.is_symlink()
    assert install(comfy, link=True).action == "linked"
    assert remove(comfy).action == "removed"
    assert not place.is_symlink()
    assert tree(PACK) == SHIPPED, "what the link led to is untouched"


def test_a_changed_copy_is_not_linked_over(comfy: Path) -> None:
    place = install(comfy).path
    (place / "nodes.py").write_text("MINE = 1\n")
    with pytest.raises(UsageError, match=r"nodes\.py"):
        install(comfy, link=True)
    assert (place / "nodes.py").read_text() == "MINE = 1\n"


@pytest.mark.parametrize("what", ["folder", "file", "link", "marker"])
def test_what_we_did_not_put_there_is_left_alone(comfy: Path, tmp_path: Path, what: str) -> None:
    place = comfy / "custom_nodes" / "dqa"
    (tmp_path / "elsewhere").mkdir()
    if what == "file":
        place.write_text("mine")
    elif what == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.mkdir()
        (place / "__init__.py").write_text("MINE = 1\n")
    if what == "marker":
        hostile = {"schema": "dqa.nodes/1", "files": {"../others/__init__.py": "0" * 64}}
        (place / MARKER).write_text(json.dumps(hostile))
    for act in (install, remove):
        with pytest.raises(UsageError, match="something else has the name of the nodes"):
            act(comfy, force=True)
    assert place.is_symlink() or place.is_file() or (place / "__init__.py").read_text() == "MINE = 1\n"
    assert (comfy / "custom_nodes" / "others" / "__init__.py").is_file()


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "only" / "custom_nodes").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "only", tmp_path / "missing"):
        with pytest.raises(UsageError, match="this is no ComfyUI folder"):
            install(folder)
    assert tree(tmp_path) == {}


def test_a_base_directory_without_the_program_is_one_too(tmp_path: Path) -> None:
    for name in ("custom_nodes", "models", "output"):
        (tmp_path / name).mkdir()
    assert install(tmp_path).action == "installed"


def test_a_run_that_was_killed_between_its_renames_is_mended(comfy: Path) -> None:
    place = install(comfy).path
    (place / "notes.txt").write_text("mine")
    place.rename(place.with_name(".dqa-old.disabled"))
    assert install(comfy).kept == ("notes.txt",)
    assert (place / "notes.txt").read_text() == "mine"


def test_a_failure_leaves_the_old_one_in_place(comfy: Path, older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(older)
    usual = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if "dqa_" in self.name:
            raise OSError(28, "No space left on device")
        return usual(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(UnavailableError, match="no space left on device"):
        install(comfy)
    monkeypatch.undo()
    assert tree(older) == before
    assert sorted(path.name for path in (comfy / "custom_nodes").iterdir()) == ["dqa", "others"]


def test_extra_model_paths_name_a_folder_that_holds_the_pack_alone() -> None:
    import yaml

    told = yaml.safe_load(installing.extra_model_paths())
    folder = Path(told["dqa"]["custom_nodes"])
    assert [path.name for path in folder.iterdir() if path.name != "__pycache__"] == ["dqa"]
    assert (folder / "dqa" / "__init__.py").is_file()


def dqa(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dqa", "comfy", "install", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})


def test_as_a_user_types_it(comfy: Path) -> None:
    done = dqa("--path", str(comfy), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["action"], told["kept"]) == ("installed", [])
    (Path(told["path"]) / "mine.py").write_text("")
    again = dqa("--path", str(comfy))
    assert "there already" in again.stdout
    assert "mine.py: changed or added here, and kept" in again.stderr
    assert "custom_nodes" in dqa("--extra-model-paths").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say --path COMFY"),
        (("--path", "nowhere"), "this is no ComfyUI folder"),
        (("--path", "x", "--link", "--remove"), "opposite things"),
        (("--path", "x", "--extra-model-paths"), "touches nothing"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    done = dqa(*arguments)
    assert (done.returncode, done.stdout, len(done.stderr.strip().splitlines())) == (2, "", 1)
    assert said in done.stderr
