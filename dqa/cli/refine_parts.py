"""What a run of ``dqa refine`` is made of: who writes, who verifies, and where its user sees the clips."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from dqa.cli import runtime
from dqa.cli.evaluate import without_models
from dqa.cli.logs import failed_channels
from dqa.cli.output import say
from dqa.cli.progress import make_progress
from dqa.cli.recorder import Recorder
from dqa.cli.text_model import text_model
from dqa.config import Settings
from dqa.errors import DQAError, ModelUnavailable, UsageError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.refine.ports import Writer
    from dqa.store import Store

WriterName = Literal["rules", "llm", "agent", "ask"]


@dataclass(frozen=True, slots=True)
class WriterChoice:
    """The options on who writes."""

    name: WriterName
    url: str | None
    model: str | None


def writer_for(choice: WriterChoice, settings: Settings) -> Writer:
    """The writer.

    Raises:
        UsageError: options of another writer.
        ModelUnavailable: ``llm`` without a model.
        UnavailableError: ``agent`` without a deployment.
    """
    if choice.name != "llm" and (choice.url or choice.model):
        raise UsageError(
            "--writer-url and --writer-model belong to --writer llm", fix="say --writer llm, or leave them"
        )
    if choice.name == "agent":
        from dqa.agenthost.writer import AgentWriter
        from dqa.cli.refine_deployment import agent_host

        return AgentWriter(agent_host(settings))
    if choice.name == "ask":
        from dqa.refine.by_hand import AskWriter

        return AskWriter(say, lambda: sys.stdin.readline() or None)
    if choice.name == "llm":
        from dqa.refine.llm import LlmWriter

        model = text_model(settings, "writer", choice.url, choice.model)
        return LlmWriter(model, model.model)
    from dqa.refine.rules import RuleWriter

    return RuleWriter()


class RecordingVerifier:
    """The evaluator of ``dqa evaluate``; what it finds is kept, and found again by its id after a kill."""

    def __init__(self, settings: Settings, *, quiet: bool) -> None:
        self._settings, self._quiet = settings, quiet
        self._evaluator: runtime.EvaluatorLike | None = None
        self._recorder = Recorder(settings)
        self._store: runtime.StoreLike | None = None

    def judge(self, media: Path, prompt: str, evaluation: str) -> EvaluationRecord:
        """See :class:`dqa.refine.ports.Verifier`."""
        known = self._known(evaluation)
        if known is not None:
            return known
        if self._evaluator is None:
            self._evaluator = runtime.make_evaluator(self._settings)
        with make_progress(1, quiet=self._quiet) as progress:
            progress.item(media.name)
            record = self._evaluator.run(media, prompt, evaluation_id=evaluation, progress=progress.stage).record
            progress.done("judged")  # the loop tells the grade; those of variations would tell what to choose
        if without_models(record):
            what = f"whether the brief was obeyed can't be judged: {record.channels['semantic'].reason.rstrip('.')}"
            raise ModelUnavailable(what, fix="see dqa doctor, or use another --profile")
        self._recorder.save(record, media)
        if warning := failed_channels(record, self._settings):
            say(warning)
        return record

    def _known(self, evaluation: str) -> EvaluationRecord | None:
        try:
            self._store = self._store or runtime.open_store(self._settings)
            return self._store.get_record(evaluation)
        except DQAError:
            return None  # it is new; or the store fails, which costs no verdict, and the recorder says so


def choose_link(settings: Settings, a: str, b: str) -> str:
    """The page that shows two evaluated clips to choose between."""
    query = urlencode({"user": settings.user, "profile": settings.profile, "a": a, "b": b})
    return f"{_service_url(settings)}/choose?{query}"


def _service_url(settings: Settings) -> str:
    from dqa.agenthost.runtime import connect

    try:
        return connect(settings).service_url.rstrip("/")
    except DQAError:
        return settings.service_url


def put_on_shelf(store: Store, clip: Path) -> None:
    """Keeps a copy among the uploads, which is what the pages may show wherever the clip lies.

    Raises:
        UnavailableError: the disk is full.
    """
    part = store.media.temporary()
    try:
        shutil.copyfile(clip, part)
        with part.open("rb+") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        store.media.add(part, sha256, clip.suffix.lower(), clip.name)
    finally:
        part.unlink(missing_ok=True)
