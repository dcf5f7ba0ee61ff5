"""What the nodes ask of the service: send a picture or video, have it judged, keep the report."""

from __future__ import annotations

import io
import json
import math
import os
import re
import tempfile
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlencode

from . import host, pictures
from .errors import DQAProblem
from .service import Service
from .settings import connection

_SHARE_SENT = 0.2
"""Of the progress bar: sending; the rest is the service's work."""

_EVALUATION_ID = re.compile(r"ev_[0-9a-hjkmnp-tv-z]{26}")


class Asking:
    """One run of a node."""

    def __init__(self) -> None:
        self._bar = host.Progress()
        self._connection = connection()
        self._service = Service(
            self._connection,
            host.raise_if_interrupted,
            lambda share: self._bar.show(_SHARE_SENT + (1 - _SHARE_SENT) * share),
        )

    def evaluate(self, media: str, prompt: str, user: str) -> dict[str, Any]:
        """The evaluation's record."""
        body = {"media": media, "prompt": prompt, **({"user": user.strip()} if user.strip() else {})}
        return self._service.job("/v1/evaluations", body)

    def describe(self, reference: str, **more: Any) -> dict[str, Any]:
        """The report on a reference."""
        return self._service.job("/v1/calibrations/describe", {"reference": reference, **more})

    def compare(self, generated: str, **more: Any) -> dict[str, Any]:
        """The report on a picture against a reference."""
        return self._service.job("/v1/calibrations/compare", {"generated": generated, **more})

    def pair(self, a: str, b: str, user: str) -> dict[str, Any]:
        """Where a person can choose between two evaluations; returns at once."""
        query = {"a": a, "b": b, **({"user": user.strip()} if user.strip() else {})}
        asked = self._service.get(f"/v1/pairs/next?{urlencode(query)}")
        address = f"{self._connection.url}/choose?{urlencode({**query, 'profile': asked['a']['profile']})}"
        return {"address": address, "test_id": asked["test_id"], "a": a, "b": b}

    def send_images(self, images: Any, fps: float) -> str:
        """A batch: one picture as it is, several as a video; returns the media id."""
        if pictures.frame_count(images) == 1:
            return self.send_picture(images)
        with tempfile.TemporaryDirectory(prefix="dqa-") as folder:
            path = Path(folder) / "frames.mp4"
            pictures.write_mp4(images, fps, str(path), host.raise_if_interrupted)
            return self.send_file(path)

    def send_picture(self, images: Any) -> str:
        """The first picture of a batch."""
        data = pictures.as_png(images)
        return self._send(io.BytesIO(data), len(data))

    def send_video(self, video: Any) -> str:
        """A VIDEO: packets of mp4 are copied; anything else is encoded as images are."""
        with tempfile.TemporaryDirectory(prefix="dqa-") as folder:
            path = Path(folder) / "video.mp4"
            try:
                pictures.save_video(video, str(path), host.raise_if_interrupted)
            except (AttributeError, TypeError):
                raise DQAProblem("the video is none; connect a VIDEO output, or images and fps.") from None
            host.raise_if_interrupted()
            return self.send_file(path)

    def send_file(self, path: Path) -> str:
        """A file as it is."""
        with path.open("rb") as file:
            return self._send(file, os.fstat(file.fileno()).st_size)

    def _send(self, file: BinaryIO, size: int) -> str:
        media = self._service.upload(file, size)
        self._bar.show(_SHARE_SENT)
        return media


def score(value: Any) -> float:
    """A score as a FLOAT output: NaN where there is none, which no comparison downstream takes for a good one."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def as_text(report: dict[str, Any]) -> str:
    """A report as JSON on one line."""
    return json.dumps(report, ensure_ascii=True)


def evaluation_id(given: str) -> str:
    """The id in what a DQA Evaluate Video node gave: its ``evaluation_id``, or its whole ``report_json``.

    Raises:
        DQAProblem: there is none.
    """
    text = given.strip()
    if text.startswith("{"):
        try:
            text = str(json.loads(text).get("id", ""))
        except ValueError:
            text = ""
    if not _EVALUATION_ID.fullmatch(text):
        raise DQAProblem("that is no evaluation; connect evaluation_id or report_json of a DQA Evaluate Video node.")
    return text


def axes_of(text: str) -> dict[str, Any]:
    """What an ``axes`` input says: names of axes or groups, or an axes file's TOML; empty for all of them."""
    if "=" in text:
        return {"axes_toml": text}
    names = [name.strip() for name in re.split(r"[,\n]", text) if name.strip()]
    return {"axes": names} if names else {}


def save_report(report: dict[str, Any]) -> dict[str, str]:
    """Saves a report as ``dqa/<id>.json`` in the output folder, for clients that see files only; says where."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(report["id"]))[:80] + ".json"
    folder = host.output_folder() / "dqa"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(as_text(report) + "\n", encoding="utf-8")
    except OSError as error:
        raise DQAProblem(f"the report can't be saved ({error.strerror}); free the output folder for writing.") from None
    return {"filename": name, "subfolder": "dqa", "type": "output"}
