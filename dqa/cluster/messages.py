"""What goes between the process that asks and the evaluators on the cluster: plain text, so that it means the same on
both ends whatever version of a library unpickles it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from dqa import errors
from dqa.errors import DQAError
from dqa.record import EvaluationRecord


@dataclass(frozen=True, slots=True)
class Line:
    """A clip to grade.

    Attributes:
        media: an absolute path, which every machine has to know.
        prompt: what it was made from.
        user: whose taste counts.
        taste: that taste as JSON; None without one.
    """

    media: str
    prompt: str
    user: str
    taste: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where an evaluator runs.

    Attributes:
        name: the machine's.
        version: of DQA there.
        sees_home: whether the state folder there is the asker's.
    """

    name: str
    version: str
    sees_home: bool


class Answer(BaseModel):
    """A verdict, or why there is none.

    Attributes:
        record: the record as JSON.
        error: names of the error's class and of those it derives from, the nearest first.
        what: of an error of ours; of any other, its traceback.
        fix: see :class:`dqa.errors.DQAError`.
        where: likewise.
    """

    model_config = ConfigDict(frozen=True)

    record: str | None = None
    error: tuple[str, ...] = ()
    what: str = ""
    fix: str = ""
    where: str | None = None

    @classmethod
    def of_error(cls, error: BaseException, traceback: str) -> Answer:
        """The answer for a clip that could not be graded."""
        names = tuple(kind.__name__ for kind in type(error).__mro__)
        if isinstance(error, DQAError):
            return cls(error=names, what=error.what, fix=error.fix, where=error.where)
        return cls(error=names, what=traceback)

    def outcome(self) -> EvaluationRecord | Exception:
        """The record, or the error as it was raised there."""
        if self.record is not None:
            return EvaluationRecord.from_json(self.record)
        for name in self.error:
            kind = getattr(errors, name, None)
            if isinstance(kind, type) and issubclass(kind, DQAError):
                return kind(self.what, fix=self.fix, where=self.where)
        return fault(self.error[0] if self.error else "Exception", self.what)


class MemberFault(Exception):
    """Something in DQA broke on a machine of the cluster; the text is the traceback there."""


def fault(name: str, traceback: str) -> MemberFault:
    """A fault by the name of the exception that it was there, by which a user reports it."""
    return type(name, (MemberFault,), {})(traceback)
