"""Puts the node pack into a ComfyUI folder, and takes it out again: only ever what was put there by us.

A marker in the installed folder holds the hash of each file, so that what somebody changed or added is known, named
and kept. A folder that has no marker is somebody else's, whatever it is called.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import dqa
from dqa.errors import UnavailableError, UsageError
from dqa.ids import new_id

PACK = Path(__file__).parent / "custom_nodes" / "dqa"
"""The pack as it ships. It is alone in its parent, so that ComfyUI can search that one for nodes."""

MARKER = ".dqa-nodes.json"
_SCHEMA = "dqa.nodes/1"
_STAGED = ".disabled"
"""ComfyUI loads no folder whose name ends so: what is half written is never run."""

Action = Literal["installed", "upgraded", "unchanged", "linked", "removed", "absent"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done.

    Attributes:
        path: the pack's place in ComfyUI.
        kept: files there that were changed or added by somebody, and left as they are.
        version: of the pack.
    """

    action: Action
    path: Path
    kept: tuple[str, ...] = ()
    version: str = dqa.__version__


def install(comfy: Path, *, link: bool = False, force: bool = False) -> Outcome:
    """Copies the pack into ``comfy``, or brings the copy there up to date.

    Args:
        comfy: ComfyUI's folder, or its base directory.
        link: put a symbolic link there instead of a copy.
        force: replace files of the pack that were changed there; what was added stays.

    Raises:
        UsageError: no ComfyUI folder, or the place is taken by something else.
        UnavailableError: it can't be written.
    """
    target = _place(comfy)
    with _written(target):
        _recover(target)
        before = _what_is_there(target)
        if link:
            return _linked(target, before, force=force)
        if isinstance(before, dict):
            return _upgraded(target, before, force=force)
        if before == "link":
            target.unlink()
        _swap(target, _pack(), {})
        return Outcome("installed", target)


def remove(comfy: Path, *, force: bool = False) -> Outcome:
    """Takes the pack out of ``comfy``; files that were changed (unless ``force``) or added there stay.

    Raises:
        UsageError: no ComfyUI folder, or what is there is not ours.
        UnavailableError: it can't be written.
    """
    target = _place(comfy)
    with _written(target):
        _recover(target)
        before = _what_is_there(target)
        if before == "nothing":
            return Outcome("absent", target)
        if not isinstance(before, dict):
            target.unlink()
            return Outcome("removed", target)
        kept = _strange(target, before, force=force)
        for name in before.keys() - set(kept):
            (target / name).unlink(missing_ok=True)
        (target / MARKER).unlink()
        _drop_empty(target)
        return Outcome("removed", target, tuple(kept))


def extra_model_paths() -> str:
    """What an ``extra_model_paths.yaml`` says so that ComfyUI loads the pack from where it is, copying nothing."""
    return f"dqa:\n    custom_nodes: {json.dumps(str(PACK.parent))}\n"


def _place(comfy: Path) -> Path:
    """Where the pack belongs; raises ``UsageError`` for what is no ComfyUI folder."""
    program = (comfy / "folder_paths.py").is_file() or (comfy / "comfy").is_dir()
    base = (comfy / "models").is_dir() and any((comfy / name).is_dir() for name in ("user", "output", "input"))
    if not (comfy / "custom_nodes").is_dir() or not (program or base):
        raise UsageError(
            "this is no ComfyUI folder", fix="give the one that holds custom_nodes and models", where=str(comfy)
        )
    return comfy.absolute() / "custom_nodes" / "dqa"


def _what_is_there(target: Path) -> dict[str, str] | Literal["nothing", "link"]:
    """The marker's files with their hashes, or that there is nothing, or our link.

    Raises:
        UsageError: something that we did not put there.
    """
    if target.is_symlink():
        if target.resolve() == PACK.resolve() or not target.exists():  # a dangling link holds nothing of anybody's
            return "link"
    elif not target.exists():
        return "nothing"
    else:
        files = _marked(target)
        if files is not None:
            return files
    raise UsageError("something else has the name of the nodes", fix="move it away, then again", where=str(target))


def _marked(folder: Path) -> dict[str, str] | None:
    try:
        found: Any = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    files = cast("dict[str, Any]", found).get("files") if isinstance(found, dict) else None
    if not isinstance(files, dict) or cast("dict[str, Any]", found).get("schema") != _SCHEMA:
        return None
    named = {str(name): str(value) for name, value in cast("dict[Any, Any]", files).items()}
    # A marker that was tampered with must not reach out of its folder.
    return named if all(_plain(name) for name in named) else None


def _plain(name: str) -> bool:
    return bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts


def _pack() -> dict[str, bytes]:
    """The pack's files by their path in it, without what Python leaves behind."""
    return {path.relative_to(PACK).as_posix(): path.read_bytes() for path in _files(PACK)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts:
            yield path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _strange(target: Path, marked: Mapping[str, str], *, force: bool) -> list[str]:
    """Files there that are not as we put them: added ones, and changed ones unless they are to go."""
    there = [path.relative_to(target).as_posix() for path in _files(target)]
    others = [name for name in there if name != MARKER]
    return [name for name in others if name not in marked or (not force and _hash(target / name) != marked.get(name))]


def _upgraded(target: Path, marked: dict[str, str], *, force: bool) -> Outcome:
    pack = _pack()
    kept = _strange(target, marked, force=force)
    wanted = {name: data for name, data in pack.items() if name not in kept}
    same = all(_hash(target / name) == hashlib.sha256(data).hexdigest() for name, data in wanted.items())
    if same and marked == _hashes(pack):
        return Outcome("unchanged", target, tuple(kept))
    _swap(target, pack, {name: target / name for name in kept})
    return Outcome("upgraded", target, tuple(kept))


def _linked(target: Path, before: dict[str, str] | str, *, force: bool) -> Outcome:
    if before == "link" and target.exists():
        return Outcome("unchanged", target)
    if isinstance(before, dict):
        kept = _strange(target, before, force=force)
        if kept:
            raise UsageError(
                f"there are changed or added files: {', '.join(kept)}", fix="move them away first", where=str(target)
            )
    staged = target.with_name(f".{new_id('dqa')}{_STAGED}")
    staged.symlink_to(PACK, target_is_directory=True)
    _exchange(target, staged)
    return Outcome("linked", target)


def _swap(target: Path, pack: Mapping[str, bytes], kept: Mapping[str, Path]) -> None:
    """The pack as a new folder beside the target, then in its place: ComfyUI sees the one or the other, never a mix."""
    staged = target.with_name(f".{new_id('dqa')}{_STAGED}")
    try:
        for name, data in pack.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, path in kept.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            (staged / name).unlink(missing_ok=True)
            shutil.copy2(path, staged / name, follow_symlinks=False)
        marker = {"schema": _SCHEMA, "version": dqa.__version__, "files": _hashes(pack)}
        (staged / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
        _exchange(target, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _hashes(pack: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in pack.items()}


def _exchange(target: Path, staged: Path) -> None:
    """``staged`` becomes ``target``; what was there goes, or comes back if that fails."""
    old = target.with_name(f".dqa-old{_STAGED}")
    moved = target.is_symlink() or target.exists()
    if moved:
        target.rename(old)
    try:
        staged.rename(target)
    except OSError:
        if moved:
            old.rename(target)
        raise
    if moved:
        _drop(old)


def _recover(target: Path) -> None:
    """After a run that was killed between its two renames, or before its last step."""
    old = target.with_name(f".dqa-old{_STAGED}")
    if not (old.is_symlink() or _marked(old) is not None):
        return
    if target.is_symlink() or target.exists():
        _drop(old)
    else:
        old.rename(target)


def _drop(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)


def _drop_empty(target: Path) -> None:
    """Folders without a file, the target too if nothing is left."""
    for cache in list(target.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)
    for folder, _, _ in list(os.walk(target, topdown=False)):
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()


@contextmanager
def _written(target: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        what = f"the nodes can't be written ({(error.strerror or str(error)).lower()})"
        raise UnavailableError(what, fix="check the folder's permissions and disk", where=str(target)) from None
