"""The hub, as far as pulling needs it: what a revision holds, and one file of it. All by ``huggingface_hub``.

Token, endpoint, cache folder and offline mode are the client's own settings (HF_TOKEN, HF_ENDPOINT, HF_HUB_CACHE,
HF_HUB_OFFLINE). What goes wrong there is said in our words.
"""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqa.errors import ModelUnavailable
from dqa.models.hub import resume
from dqa.models.hub.files import Tell


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a revision.

    Attributes:
        size: in bytes.
        sha256: as the hub states it for large files.
        blob: git's id, which it states for all.
    """

    name: str
    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a revision of a model holds.

    Attributes:
        commit: 40 hexadecimal digits.
        licence: the tag of its model card.
    """

    commit: str
    licence: str | None
    files: tuple[RemoteFile, ...]


def listing(hub: str, revision: str | None) -> Listing:
    """The files of a revision; of the default branch if it is None.

    Raises:
        ModelUnavailable: there is no network, no such model or revision, or no leave to read it.
    """
    from huggingface_hub import HfApi

    with _said(hub, revision):
        info: Any = HfApi().model_info(hub, revision=revision, files_metadata=True)
    card = info.card_data
    licence = card.get("license") if card is not None else None
    found = tuple(
        RemoteFile(f.rfilename, int(f.size or 0), f.lfs.sha256 if f.lfs is not None else None, f.blob_id)
        for f in info.siblings or ()
    )
    return Listing(str(info.sha), licence if isinstance(licence, str) else None, found)


def download(hub: str, commit: str, name: str, tell: Tell) -> Path:
    """Fetches one file into the hub's cache, or finds it there.

    Where the connection breaks, the client goes on from the byte it had, a few times; where the process ends, the next
    one does (:mod:`dqa.models.hub.resume`).

    Raises:
        ModelUnavailable: it can't be had; what has come of it stays for the next try.
    """
    from huggingface_hub import hf_hub_download

    with _said(hub, commit):
        if cached(hub, commit, name) is None:
            resume.bring(cache_folder(), hub, commit, name, _bar(name, tell))
        path = hf_hub_download(hub, name, revision=commit, tqdm_class=_bar(name, tell))
    return Path(path)


def cached(hub: str, revision: str | None, name: str) -> Path | None:
    """Where a file of a revision lies in the local cache; never the network."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(hub, name, revision=revision)
    except (HFValidationError, ValueError):
        return None
    return Path(found) if isinstance(found, str) else None


def cache_folder() -> Path:
    """Where the client keeps what it fetched."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _bar(name: str, tell: Tell) -> Any:
    """A progress bar for the client that shows nothing itself and tells ``tell`` instead."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            self._done = float(options.get("initial") or 0)
            self._all = float(options.get("total") or 0)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            self._done += n or 0
            if self._all > 0:
                tell(name, min(1.0, self._done / self._all))
            return None

    return Bar


@contextmanager
def _said(hub: str, revision: str | None) -> Generator[None]:
    import httpx2
    from huggingface_hub import errors

    at = f"{hub}, revision {revision}" if revision else hub
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise _unavailable(f"{hub} can't be fetched: HF_HUB_OFFLINE is set", "unset it for dqa models pull") from None
    except errors.GatedRepoError:
        fix = f"accept its terms on its page at the hub, then set HF_TOKEN to a token that may read {hub}"
        raise _unavailable(f"{hub} is gated: the hub gives it only to those who accept its terms", fix) from None
    except errors.RevisionNotFoundError:
        raise _unavailable(f"the hub has no {at}", "correct the revision in the profile") from None
    except errors.RepositoryNotFoundError:
        fix = "correct the id in the profile, or set HF_TOKEN if it is a private one"
        raise _unavailable(f"the hub shows no model {hub}", fix) from None
    except errors.HfHubHTTPError as error:
        raise _refused(at, error.response.status_code) from None
    except (httpx2.HTTPError, errors.LocalEntryNotFoundError):
        fix = "check the network (HF_ENDPOINT, HTTPS_PROXY), then pull again: it goes on where it was"
        raise _unavailable(f"the hub can't be reached for {hub}, or broke off", fix) from None
    except OSError as error:
        raise _local(at, error) from None


def _refused(at: str, status: int) -> ModelUnavailable:
    if status in (401, 403):
        return _unavailable(f"the hub refuses {at} ({status})", "set HF_TOKEN to a token that may read it")
    return _unavailable(f"the hub answers {status} for {at}", "try again later")


def _local(at: str, error: OSError) -> ModelUnavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _unavailable(f"the disk is full while fetching {at}", "free some space, then pull again")
    if error.errno is not None:
        return _unavailable(f"{at} can't be kept ({error.strerror})", "see to the folder of HF_HUB_CACHE")
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return _unavailable(f"{at} did not come whole ({said})", "pull again")


def _unavailable(what: str, fix: str) -> ModelUnavailable:
    return ModelUnavailable(what, fix=fix)
