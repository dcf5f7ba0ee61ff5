"""Which files may be opened at all.

The operator's own choice (a path on the command line) is opened wherever it lies. What comes over HTTP or from an
agent's tool is bound to the configured roots; symlinks are resolved before the check, and nothing is said
about whether a file outside exists.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from dqa.clip.container import FORMATS, Container, sniff
from dqa.errors import InputError, MediaNotFound, MediaRefused, UnsupportedMedia

__all__ = ["Container", "open_regular", "resolve_media", "sniff"]

_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{name}{n}" for name in ("COM", "LPT") for n in range(1, 10))}

_SHOWN = 300

_ADDRESS = re.compile("https?:/")
"""One that was taken for a path has lost a slash."""


def resolve_media(path: str | os.PathLike[str], roots: Sequence[Path] | None) -> Path:
    """The real path of a media file that may be read.

    Args:
        path: as given; a relative one is looked for in the working folder, or, with roots, in each root in turn.
        roots: the folders it must lie in once symlinks are resolved; None is the operator's own choice (no check),
            an empty sequence allows nothing.

    Returns:
        An absolute path without symlinks, to an existing regular file.

    Raises:
        MediaRefused: outside the roots, a device, or a name that can't be a media file's (control characters,
            network shares, URLs, device names).
        MediaNotFound: no such file.
        UnsupportedMedia: a folder.
    """
    text = os.fspath(path)
    _check_text(text, bound=roots is not None)
    real = _resolve(Path(text)) if roots is None else _inside(Path(text), [_resolve(root) for root in roots])
    _check_kind(real)
    return real


def open_regular(path: Path) -> int:
    """A read-only descriptor of a resolved path; the caller closes it.

    Neither a symlink put in its place since nor a pipe without a writer gets in.

    Raises:
        MediaNotFound: it is gone.
        MediaRefused: it may not be read, or is no regular file.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError:
        raise _refused("the file can't be read", "check its permissions", path) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_a_file(path)
    return descriptor


def _check_text(text: str, *, bound: bool) -> None:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise _refused("the file name holds control characters", "rename the file", text)
    if "://" in text[:16] or _ADDRESS.match(text):
        raise _refused("URLs are not fetched", "download the file and give its path", text)
    if text.startswith("\\\\") or (bound and text.startswith("//")):
        raise _refused("network shares are not read", "copy the file to this machine", text)
    # Such a name is a device on Windows. Here it is an odd but honest name, so only strangers are refused it.
    if bound and any(part.split(".")[0].strip().upper() in _RESERVED for part in PureWindowsPath(text).parts):
        raise _refused("the file name is reserved for a device", "rename the file", text)


def _inside(path: Path, roots: Sequence[Path]) -> Path:
    # An absolute path joined to a root is itself; a relative one may fit several roots.
    found = [_resolve(root / path) for root in roots]
    allowed = [real for real in found if any(real.is_relative_to(root) for root in roots)]
    if not allowed:
        raise _refused("the file lies outside the folders that may be read", "move it there, or set DQA_ROOTS", path)
    return next((real for real in allowed if _is_there(real)), allowed[0])


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of symlinks, a name too long, lone surrogates
        raise _missing(path) from None


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def _check_kind(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise _refused("the file can't be read", "check its permissions", path) from None
    except (OSError, ValueError):  # not there; a name too long; lone surrogates
        raise _missing(path) from None
    if stat.S_ISDIR(mode):
        raise UnsupportedMedia("this is a folder", fix=f"give an {FORMATS} file in it", where=str(path))
    if not stat.S_ISREG(mode):
        raise _not_a_file(path)


def _missing(path: Path) -> MediaNotFound:
    return MediaNotFound("no such file", fix="check the path", where=_shown(path))


def _not_a_file(path: Path) -> InputError:
    return _refused("devices, pipes and sockets are not read", f"give an {FORMATS} file", path)


def _refused(what: str, fix: str, path: str | Path) -> MediaRefused:
    return MediaRefused(what, fix=fix, where=_shown(path))


def _shown(path: str | Path) -> str:
    """The path for a terminal: control characters and what is not text are escaped, so that they can't act there."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(path))
    return text if len(text) <= _SHOWN else "..." + text[-_SHOWN:]
