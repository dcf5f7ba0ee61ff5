"""Every error DQA raises on purpose.

The tree says who must act::

    DQAError
    ├── UsageError                 the caller: wrong flag, setting or argument     exit 2
    │   └── ConfigError            an unknown or malformed setting
    ├── InputError                 the user: this input can't be evaluated         exit 3
    │   ├── MediaNotFound          no such file, media id or frame
    │   ├── MediaRefused           outside the configured roots
    │   ├── MediaTooLarge          bytes, pixels or frames over the limit
    │   ├── UnsupportedMedia       not one of the formats in the allow list
    │   ├── Undecodable            the right container, but no frame comes out
    │   └── InvalidPrompt          empty, too long, or not text
    ├── UnavailableError           the operator: something needed is not there     exit 4
    │   ├── ModelUnavailable       weights or a package are missing or altered
    │   ├── ServiceUnavailable     the service does not answer
    │   ├── InsufficientMemory     the plan does not fit the budget
    │   ├── Busy                   the queue is full; try again later
    │   ├── TookTooLong            an evaluation ran over its time limit
    │   └── WorkerDied             the process that evaluated ended before it was done
    ├── RecordNotFound             no evaluation with that id                      exit 3
    │   └── VersionNotFound        no such version of a taste, or it is not kept any more
    ├── Conflict                   the same key with another content               exit 2
    └── Cancelled                  the evaluation was cancelled by the user        exit 3

An error is one sentence on what is wrong and one on how to mend it. ``where`` (a path, a line) is
kept apart, because over HTTP it is left out: an error must not tell a stranger what lies on disk.
"""

from __future__ import annotations

from typing import ClassVar


class DQAError(Exception):
    """Base of the tree.

    Args:
        what: what is wrong, without a full stop, e.g. ``"not a video"``.
        fix: what to do about it, e.g. ``"give an mp4, webm, mov, gif, webp, png or jpg file"``.
        where: the file, line or setting at fault; shown locally, never over HTTP.
    """

    exit_code: ClassVar[int] = 4
    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, what: str, *, fix: str = "", where: str | None = None) -> None:
        self.what = what
        self.fix = fix
        self.where = where
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The whole message for a person at this machine: where, what, how to mend it."""
        text = f"{self.where}: {self.public()}" if self.where else self.public()
        return " ".join(text.split())

    def public(self) -> str:
        """The message without ``where``, safe to send to a client."""
        return f"{self.what}; {self.fix}." if self.fix else f"{self.what}."

    def __reduce__(self) -> tuple[object, ...]:
        """Rebuilds across process boundaries (keyword arguments and all)."""
        return (_rebuild, (type(self), self.what, self.fix, self.where))


def _rebuild(kind: type[DQAError], what: str, fix: str, where: str | None) -> DQAError:
    return kind(what, fix=fix, where=where)


class UsageError(DQAError):
    exit_code = 2
    status = 422
    type = "usage"
    title = "Wrong usage"


class ConfigError(UsageError):
    type = "config"
    title = "Wrong setting"


class InputError(DQAError):
    exit_code = 3
    status = 422
    type = "input"
    title = "This input can't be evaluated"


class MediaNotFound(InputError):
    status = 404
    type = "media-not-found"
    title = "No such media"


class MediaRefused(InputError):
    status = 403
    type = "media-refused"
    title = "This media may not be read"


class MediaTooLarge(InputError):
    status = 413
    type = "media-too-large"
    title = "The media is too large"


class UnsupportedMedia(InputError):
    status = 415
    type = "unsupported-media"
    title = "Not a supported format"


class Undecodable(InputError):
    type = "undecodable"
    title = "The media can't be decoded"


class InvalidPrompt(InputError):
    type = "invalid-prompt"
    title = "The prompt can't be used"


class UnavailableError(DQAError):
    exit_code = 4
    status = 503
    type = "unavailable"
    title = "Something needed is not available"


class ModelUnavailable(UnavailableError):
    type = "model-unavailable"
    title = "A model is not available"


class ServiceUnavailable(UnavailableError):
    type = "service-unavailable"
    title = "The service does not answer"


class InsufficientMemory(UnavailableError):
    type = "insufficient_vram"
    title = "Not enough memory"


class Busy(UnavailableError):
    status = 429
    type = "busy"
    title = "The queue is full"


class TookTooLong(UnavailableError):
    type = "took-too-long"
    title = "The evaluation took too long"


class WorkerDied(UnavailableError):
    type = "worker-died"
    title = "The evaluation process died"


class RecordNotFound(DQAError):
    exit_code = 3
    status = 404
    type = "record-not-found"
    title = "No such evaluation"


class VersionNotFound(RecordNotFound):
    type = "version-not-found"
    title = "No such version"


class Conflict(DQAError):
    exit_code = 2
    status = 409
    type = "conflict"
    title = "In conflict with what is there"


class Cancelled(DQAError):
    exit_code = 3
    status = 409
    type = "cancelled"
    title = "Cancelled"
