"""A service with real clips in its store, for a real browser to look at: verdicts are scripted, media is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import av
import httpx

from dqa.config import Settings
from dqa.ids import new_id
from dqa.record import EvaluationRecord, Media
from dqa.store import Store
from dqa.testing import scripted_record
from tests.conftest import real_clips
from tests.service.running import RunningService

PICTURES = frozenset({".png", ".jpg", ".gif", ".webp"})


@dataclass
class Site:
    """A running service, and what lies in its store.

    Attributes:
        service: the process; ``service.client`` talks to it.
        clips: the folder under its roots.
        recorded: evaluations by clip id, of the real clips in tests/data.
    """

    service: RunningService
    clips: Path
    recorded: dict[str, EvaluationRecord] = field(default_factory=dict[str, EvaluationRecord])

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def client(self) -> httpx.Client:
        return self.service.client

    def page(self, path: str, **query: object) -> str:
        """The address of a page."""
        return f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The service's own database, opened beside it."""
        opened = Store.open(Settings(home=self.service.home))
        try:
            yield opened
        finally:
            opened.close()

    def record(self, *made: EvaluationRecord) -> None:
        """Keeps records; their media is where ``reproduce.media`` says."""
        with self.store() as store:
            for one in made:
                store.save_record(one, Path(one.reproduce.media))


def evaluation(path: Path, prompt: str, *, user: str = "default", **changes: Any) -> EvaluationRecord:
    """A scripted verdict on a real file: size, rate, length and hash are the file's own.

    Args:
        path: the clip or picture.
        prompt: what it was made from.
        user: whose evaluation.
        changes: further fields of the record, e.g. ``channels``, ``grade``, ``created``.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    base = scripted_record(new_id("ev"), prompt, user, str(path), sha256)
    return base.model_copy(update={"media": media_of(path, sha256), **changes})


def media_of(path: Path, sha256: str) -> Media:
    """What a record says about a file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        still = path.suffix in PICTURES
        frames = 1 if still else sum(1 for packet in container.demux(stream) if packet.size)
        fps = 0.0 if still else float(stream.average_rate or 0)
        return Media(
            sha256=sha256,
            kind="image" if still else "video",
            width=context.width,
            height=context.height,
            fps=fps,
            frames=frames,
            duration_s=frames / fps if fps else 0.0,
            corrupt_packets=0,
        )


@contextmanager
def running_site(home: Path, ids: Sequence[str] | None = None, **settings: object) -> Iterator[Site]:
    """Starts a service whose store holds an evaluation of each real clip (or of those with ``ids``)."""
    clips = home / "clips"
    clips.mkdir(parents=True)
    service = RunningService(home / "home", roots=clips, **settings)
    site = Site(service, clips)
    try:
        service.start()
        for clip in real_clips():
            if ids is None or clip.id in ids:
                copy = clips / clip.path.name
                copy.write_bytes(clip.path.read_bytes())
                site.recorded[clip.id] = evaluation(copy, clip.prompt)
        site.record(*site.recorded.values())
        yield site
    finally:
        service.stop()
