"""A file of the hub goes on where an earlier try ended, whatever ended it: a signal, a crash, the network.

The hub's client gives every try a file of its own and leaves it behind. Here the bytes of a blob gather under its ETag:
a hub that has other bytes has another ETag, and begins anew. Whole, the file is moved to where the client looks for it.
"""

from __future__ import annotations

import fcntl
import re
from pathlib import Path
from typing import Any, BinaryIO

from dqa.models.hub.files import digest, git_blob

_ETAG = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
"""Git's id of a small file, or the SHA-256 of a large one; both name its bytes."""


def begun(cache: Path, hub: str, etag: str | None) -> int:
    """How many bytes of a blob an earlier try left, 0 if none."""
    path = _part(cache, hub, etag or "")
    return path.stat().st_size if path is not None and path.is_file() else 0


def bring(cache: Path, hub: str, commit: str, name: str, bar: Any) -> None:
    """Fetches what is missing of one file's bytes into the client's cache, which then finds them there.

    Does nothing where they are there, where the hub names no ETag or size, or where the file is larger than plain HTTP
    gives: then the client fetches it in its own way. What went on from earlier bytes is checked by its ETag, and begun
    anew if it is another: a power cut leaves holes.

    Args:
        bar: a class of progress bars (tqdm's).

    Raises:
        What the client raises; what has come by then is kept.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(hub, name, revision=commit)
    told = get_hf_file_metadata(url)
    part = _part(cache, hub, told.etag or "")
    if part is None or told.size is None or told.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
        return
    blob = part.with_name(str(told.etag))
    if blob.exists():
        return
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another pull of the same file is waited for
        if not blob.exists():
            _complete(file, part, url, told.size, bar)
            part.replace(blob)
    part.unlink(missing_ok=True)


def _complete(file: BinaryIO, part: Path, url: str, size: int, bar: Any) -> None:
    there = part.stat().st_size
    if there > size:
        file.truncate(0)
        there = 0
    _get(file, url, there, size, bar)
    if there and not _is(part, part.name.partition(".")[0]):
        file.truncate(0)
        _get(file, url, 0, size, bar)


def _get(file: BinaryIO, url: str, there: int, size: int, bar: Any) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    # Opened to append: every write goes to the end, also after the client or we truncated it.
    http_get(url, file, resume_size=there, headers=build_hf_headers(), expected_size=size, tqdm_class=bar)
    file.flush()


def _is(path: Path, etag: str) -> bool:
    return etag == (digest(path) if len(etag) == 64 else git_blob(path))


def _part(cache: Path, hub: str, etag: str) -> Path | None:
    from huggingface_hub.file_download import repo_folder_name

    if not _ETAG.fullmatch(etag):
        return None
    return cache / repo_folder_name(repo_id=hub, repo_type="model") / "blobs" / f"{etag}.dqa.incomplete"
