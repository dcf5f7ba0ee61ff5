"""Any server with OpenAI's chat interface that takes images: vLLM, Ollama, llama.cpp, a hosted one.

Answers are read from the probabilities of the first token where the server gives them (``logprobs``); else the word it
states is taken, as JSON by a schema, and said to be only that. A server that refuses one of these is asked without it:
no token probabilities, JSON without a schema, then the schema in words alone. A model that can think is told not to,
by the switch that vLLM and its kin hand to the chat template; where it begins with a thinking block all the same, the
first word after it is the answer. The images come first in every request and the question last, so that a server that
keeps prefixes computes the images once for all questions on a clip.

Frames go as images, which every such server takes, or as one video (``video/jpeg``: the JPEGs of the frames, base64,
between commas; vLLM's form), which lets a model that was trained on video use its own handling of time. It is always
the frames that we chose, never the file: the server's sampling would show the judge other frames than the record names.
"""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import httpx
import structlog
from PIL import Image as Pictures

from dqa.clip.frame import Image
from dqa.config import Settings
from dqa.errors import ModelUnavailable, ServiceUnavailable, UnavailableError
from dqa.models.profiles import Component
from dqa.models.roles import YesNo
from dqa.models.vlm.endpoint_answer import (
    THOUGHT,
    Token,
    after_thinking,
    begins_to_think,
    content,
    decoded,
    first_choice,
    read_object,
    tokens,
)
from dqa.models.vlm.endpoint_line import LARGEST, Line, Reply, TooLarge, line
from dqa.models.vlm.safety import SYSTEM
from dqa.models.vlm.surface import log_odds, side
from dqa.record import ModelIdentity

log = structlog.get_logger(__name__)

_YES_NO = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["yes", "no"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
_STATED = 2.2
"""Log-odds of a stated word (0.9): its sign is all that is known, and it must not outweigh measured ones."""

_TOP = 20
_NOT_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
"""Qwen's switch (VQAScore 3.1 sets it, too); templates that know no thinking ignore it."""

_WORD = 48
"""Most tokens of a word stated by schema, with room for an empty thinking block."""

_AT_ONCE = 4
_MISFITS = (400, 415, 422, 501)
"""What servers answer to a part of a request that they don't know; also to images, where a model takes none."""
_LONGEST_PAUSE_S = 30.0
_NOBODY_S = 10.0
"""How long a refused connection is tried again: for a server that is started anew, not for one that is not there."""


class _Misfit(UnavailableError):
    """The request has a part that the server does not take."""


class EndpointModel:
    """A vision-language model behind an HTTP endpoint.

    Args:
        url: base of its interface, up to and including ``/v1``.
        model: the name the server knows it by.
        key: sent as a bearer token; never logged.
        patience_s: how long one whole completion may take, repeats while the server is busy included.
        max_side: images are scaled down to this many pixels on the longer side.
        as_video: several frames go as one video instead of as images.
        identity: how records name it; by ``model`` if None.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        patience_s: float = 120.0,
        max_side: int = 768,
        as_video: bool = False,
        identity: ModelIdentity | None = None,
    ) -> None:
        self.model = model
        self.identity = identity or ModelIdentity(id=model, licence="the model's own")
        self._as_video = as_video
        self._max_side = max_side
        self._patience_s = patience_s
        self._soft: bool | None = None
        self._form = 0
        self._switch: bool | None = None
        self._room = 1
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(self, images: Sequence[Image], questions: Sequence[str]) -> list[YesNo | None]:
        """See :class:`dqa.models.roles.VisionLanguageModel`.

        Raises:
            UnavailableError: the endpoint refuses, does not answer in time, or not in a form that is understood.
        """
        if not questions:
            return []
        pictures = self._shown(images)
        # The first alone: it shows whether the server tells probabilities, and fills its cache with the images.
        with self._line() as http, ThreadPoolExecutor(_AT_ONCE) as threads:
            first = self._yes_no(http, pictures, questions[0])
            return [first, *threads.map(partial(self._yes_no, http, pictures), questions[1:])]

    def write(self, images: Sequence[Image], instruction: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """See :class:`dqa.models.roles.VisionLanguageModel`; asked twice before it is given up."""
        pictures = self._shown(images)
        with self._line() as http:
            found = self._object(http, pictures, instruction, schema, 2000)
            return found if found is not None else self._object(http, pictures, instruction, schema, 2000)

    def check(self) -> None:
        """Raises ``UnavailableError`` unless the endpoint answers."""
        with self._line() as http:
            self._send(http, "GET", "/models", None)

    def _line(self) -> AbstractContextManager[Line]:
        return line(self._url, self._headers)

    def _yes_no(self, http: Line, pictures: list[dict[str, Any]], question: str) -> YesNo | None:
        if self._soft is not False:
            likeliest = self._likeliest(http, pictures, question)
            # Of one token alone nothing is known but that it was said.
            told = len(likeliest) > 1
            self._soft = self._soft or told
            if told:
                odds = log_odds(likeliest)
                return None if odds is None else YesNo(odds, soft=True)
            log.info("the endpoint tells no token probabilities; stated words are taken", model=self.model)
        return self._stated(http, pictures, question)

    def _likeliest(self, http: Line, pictures: list[dict[str, Any]], question: str) -> Sequence[tuple[str, float]]:
        """The likeliest first tokens; none where the server tells none, or refuses to be asked for them."""
        try:
            told = self._tokens(http, pictures, question)
            if self._room == 1 and begins_to_think(told):
                self._room = THOUGHT
                told = self._tokens(http, pictures, question)
        except _Misfit:
            if self._soft:  # it has told them before, so that this is about something else
                raise
            self._soft = False
            return ()
        return after_thinking(told).likeliest if told else ()

    def _tokens(self, http: Line, pictures: list[dict[str, Any]], question: str) -> list[Token]:
        asked = {"max_tokens": self._room, "logprobs": True, "top_logprobs": _TOP}
        return tokens(self._chat(http, pictures, question, asked))

    def _stated(self, http: Line, pictures: list[dict[str, Any]], question: str) -> YesNo | None:
        found = self._object(http, pictures, question, _YES_NO, _WORD)
        answer = (found or {}).get("answer")
        said = side(answer) if isinstance(answer, str) else None
        return None if said is None else YesNo(_STATED if said else -_STATED, soft=False)

    def _object(
        self,
        http: Line,
        pictures: list[dict[str, Any]],
        instruction: str,
        schema: Mapping[str, Any],
        most: int,
    ) -> dict[str, Any] | None:
        asked = f"{instruction}\nAnswer with one JSON object by this schema: {json.dumps(schema)}"
        said = content(self._formed(http, pictures, asked, schema, most))
        return None if said is None else read_object(said)

    def _formed(
        self, http: Line, pictures: list[dict[str, Any]], asked: str, schema: Mapping[str, Any], most: int
    ) -> dict[str, Any]:
        """A completion in the strictest form that the server takes; which one that is, is kept."""
        strict = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
        forms: list[dict[str, Any]] = [
            {"response_format": strict}, {"response_format": {"type": "json_object"}}, {},
        ]  # fmt: skip
        for number in range(self._form, len(forms)):
            try:
                choice = self._chat(http, pictures, asked, {"max_tokens": most, **forms[number]})
            except _Misfit:
                if number == len(forms) - 1:
                    raise
                continue
            if number > self._form:
                log.info("the endpoint refuses the schema; it is asked for in words", model=self.model)
                self._form = number
            return choice
        raise AssertionError("there is always a last form")

    def _chat(self, http: Line, pictures: list[dict[str, Any]], text: str, more: Mapping[str, Any]) -> dict[str, Any]:
        """The first choice of one completion, greedy, and without thoughts where the server takes that."""
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": [*pictures, {"type": "text", "text": text}]},
        ]
        body = {"model": self.model, "messages": messages, "temperature": 0, "seed": 0, **more}
        if self._switch is not False:
            try:
                choice = self._completed(http, {**body, **_NOT_THINKING})
            except _Misfit:
                if self._switch:  # it has taken the switch before, so that this is about something else
                    raise
            else:
                self._switch = True
                return choice
        choice = self._completed(http, body)
        if self._switch is None:
            log.info("the endpoint refuses the switch for thinking; it is asked without", model=self.model)
            self._switch = False
        return choice

    def _completed(self, http: Line, body: Mapping[str, Any]) -> dict[str, Any]:
        return first_choice(self._send(http, "POST", "/chat/completions", body))

    def _send(self, http: Line, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """One request; repeated while the server is busy, as long as patience lasts; shortly while nobody listens."""
        began = time.monotonic()
        until = began + self._patience_s
        pause = 0.5
        while True:
            try:
                answer = http.request(method, path, body, until - time.monotonic())
            except TimeoutError:
                raise self._away(f"took longer than {self._patience_s:g} seconds") from None
            except TooLarge:
                raise self._away(f"sends more than {LARGEST // 2**20} MiB") from None
            except httpx.HTTPError as error:
                answer = None
                if isinstance(error, httpx.ConnectError):
                    until = min(until, began + _NOBODY_S)
            if answer is not None and answer.status not in (429, 500, 502, 503, 504):
                return _answered(answer, self.model)
            wait = max(pause, _retry_after(answer))
            if time.monotonic() + wait > until:
                raise self._away("does not answer" if answer is None else f"is busy ({answer.status})")
            time.sleep(wait)
            pause = min(_LONGEST_PAUSE_S, 2 * pause)

    def _away(self, what: str) -> ServiceUnavailable:
        return ServiceUnavailable(f"the vision-language model's endpoint {what}", fix="start it, or check DQA_VLM_URL")

    def _shown(self, images: Sequence[Image]) -> list[dict[str, Any]]:
        """The parts of a message that show images; several of one size are frames, and may go as one video."""
        frames = [self._jpeg(image) for image in images]
        if self._as_video and len(images) > 1 and len({image.shape for image in images}) == 1:
            return [{"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{','.join(frames)}"}}]
        return [{"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{frame}"}} for frame in frames]

    def _jpeg(self, image: Image) -> str:
        picture = Pictures.fromarray(image)
        picture.thumbnail((self._max_side, self._max_side), Pictures.Resampling.LANCZOS)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        return base64.b64encode(out.getvalue()).decode()


def load(component: Component, settings: Settings) -> EndpointModel:
    """The endpoint that the settings name.

    Raises:
        ModelUnavailable: they name none.
    """
    if settings.vlm_url is None:
        raise ModelUnavailable(
            "no vision-language model's endpoint is set", fix="set DQA_VLM_URL, e.g. http://127.0.0.1:8000/v1"
        )
    key = settings.vlm_key.get_secret_value() if settings.vlm_key else None
    model, as_video = settings.vlm_model or component.id, settings.vlm_frames == "video"
    # The same model sees a video otherwise than images: the record tells which it was shown.
    told = {"id": model, "revision": "frames as one video" if as_video else component.revision}
    identity = component.identity().model_copy(update=told)
    return EndpointModel(settings.vlm_url, model, key, as_video=as_video, identity=identity)


def _answered(answer: Reply, model: str) -> dict[str, Any]:
    if answer.status in (401, 403):
        raise UnavailableError("the endpoint refuses the key", fix="check DQA_VLM_KEY")
    if answer.status == 404:
        raise UnavailableError(f"the endpoint has no model {model}", fix="check DQA_VLM_MODEL and DQA_VLM_URL")
    if not 200 <= answer.status < 300:
        # What it says may repeat the request, and with it the prompt or a key: the code is enough.
        kind = _Misfit if answer.status in _MISFITS else UnavailableError
        raise kind(
            f"the endpoint refuses the request ({answer.status})",
            fix="use a model that takes images; with DQA_VLM_FRAMES=video, one that takes video/jpeg, as vLLM does",
        )
    return decoded(answer.body)


def _retry_after(answer: Reply | None) -> float:
    try:
        return min(_LONGEST_PAUSE_S, float(answer.headers.get("Retry-After", 0))) if answer is not None else 0.0
    except ValueError:
        return 0.0
