"""A vision-language model on this machine, by transformers.

All questions on a clip share one pass over its frames (:mod:`dqa.models.vlm.local_prefix`); it is kept while the clip
is judged (:mod:`dqa.models.vlm.local_kept`), since several channels ask about the same frames. Answers are read from
the whole vocabulary's probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import structlog

from dqa.clip.frame import Image
from dqa.config import Settings
from dqa.errors import InsufficientMemory, ModelUnavailable
from dqa.models.exhausted import ran_out
from dqa.models.profiles import Component
from dqa.models.roles import YesNo
from dqa.models.snapshot import fingerprint
from dqa.models.vlm.local_chat import Chat
from dqa.models.vlm.local_files import find
from dqa.models.vlm.local_kept import Kept
from dqa.models.vlm.surface import log_odds, side
from dqa.record import ModelIdentity

log = structlog.get_logger(__name__)

LEAST_MASS = 0.01
"""P(yes) + P(no) below which the model said neither."""

TOKENS_AT_ONCE = 1024
"""As :data:`dqa.models.vlm.local_prefix.TOKENS_AT_ONCE`, which can't be read without loading torch."""

LONGEST_ANSWER = 1024
"""Most tokens of a written answer."""


class LocalModel:
    """A loaded model as :class:`dqa.models.roles.VisionLanguageModel`.

    Args:
        model: a transformers image-text-to-text model in evaluation mode.
        chat: builds its inputs.
        identity: how a record names it.

    Attributes:
        batch: most tokens of questions that go through at once; the frames before them go in one piece.
        full_batch: that while there is memory.
    """

    full_batch = TOKENS_AT_ONCE

    def __init__(self, model: Any, chat: Chat, identity: ModelIdentity) -> None:
        self.identity = identity
        self.batch = self.full_batch
        self._model = model
        self._chat = chat
        self._forms = {token: text for text, token in chat.tokenizer.get_vocab().items() if side(text) is not None}
        self._kept = Kept()
        self._copies: Any = None
        if {side(text) for text in self._forms.values()} != {True, False}:
            raise ModelUnavailable("the model's tokenizer has no single token for yes and no", fix="use another model")

    def ask(self, images: Sequence[Image], questions: Sequence[str]) -> list[YesNo | None]:
        """See :class:`dqa.models.roles.VisionLanguageModel`.

        Each answer is the one a pass of its own over images and question would give, whatever else is asked and in
        which order, to rounding.
        """
        from dqa.models.vlm.local_prefix import last_logits

        if not questions:
            return []
        suffixes = [self._chat.suffix(question, len(images)) for question in questions]
        with self._within_memory():
            found = last_logits(self._model, self._prefix(images), suffixes, self._at_once())
            return [self._answer(logits) for logits in found]

    def write(self, images: Sequence[Image], instruction: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """See :class:`dqa.models.roles.VisionLanguageModel`; the likeliest words, all of which must be the object."""
        from dqa.models.vlm.local_prefix import greedy

        asked = f"{instruction}\nAnswer with one JSON object by this schema, and nothing else: {json.dumps(schema)}"
        suffix = self._chat.suffix(asked, len(images))
        with self._within_memory():
            written = greedy(self._model, self._prefix(images), suffix, self._ends(), LONGEST_ANSWER)
        return parsed(self._chat.tokenizer.decode(written, skip_special_tokens=True))

    def about(self, clip: str | None) -> None:
        """Says which clip is asked about from now on: the pass over the first images asked about, the whole clip's, is
        then made once and kept until this says another, whatever is asked about parts of it in between.

        Args:
            clip: its id; None for none in particular, when only what was asked about last is kept.
        """
        self._kept.about(clip)

    @property
    def kept_gb(self) -> float:
        """What is kept of a clip takes on the device, in gigabytes."""
        return self._kept.gb

    def forget(self) -> None:
        """Frees what is kept of the last clip."""
        self._kept.drop()

    def smaller_batch(self) -> bool:
        """Fewer questions at once from now on, then each on its own; False when that is so already."""
        if self.batch <= 1:
            return False
        self.batch = self.batch // 4 if self.batch > 64 else 1
        return True

    def to(self, device: str) -> None:
        """Moves the weights; what is kept of the last clip goes."""
        from dqa.models.residency.copies import Copies

        self.forget()
        self._copies = self._copies or Copies(self._model)
        self._copies.to(device)

    @property
    def copies(self) -> Any:
        """Its copy in host memory (:class:`dqa.models.residency.copies.Copies`); None before the first move."""
        return self._copies

    def _at_once(self) -> int | None:
        """None: as many as usual."""
        return None if self.batch == self.full_batch else self.batch

    @contextmanager
    def _within_memory(self) -> Generator[None]:
        try:
            yield
        except Exception as error:
            if isinstance(error, InsufficientMemory) or not ran_out(error):
                raise
            self.forget()
            raise InsufficientMemory(
                "the vision-language model ran out of memory on its device",
                fix="give it fewer or smaller frames, 4 bit (quantisation nf4), or the device for itself",
            ) from None

    def _prefix(self, images: Sequence[Image]) -> Any:
        from dqa.models.vlm.local_prefix import prefill

        return self._kept.of(images, lambda: prefill(self._model, self._chat.prefix(images)))

    def _answer(self, logits: Any) -> YesNo | None:
        """From the logits of the answer's first token: (vocabulary,)."""
        shares = logits.cpu().double().log_softmax(-1)  # read word by word, each of which would wait for the device
        forms = [(text, float(shares[token])) for token, text in self._forms.items() if token < len(shares)]
        mass = sum(float(shares[token].exp()) for token in self._forms if token < len(shares))
        odds = log_odds(forms) if mass >= LEAST_MASS else None
        return None if odds is None else YesNo(odds, soft=True)

    def _ends(self) -> frozenset[int]:
        found = self._model.generation_config.eos_token_id
        ends = found if isinstance(found, list) else [found]
        return frozenset(int(token) for token in [*ends, self._chat.tokenizer.eos_token_id] if token is not None)


def parsed(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, alone or in one code fence; None for anything else.

    >>> parsed('```json\\n{"a": 1}\\n```'), parsed('Sure: {"a": 1}')
    ({'a': 1}, None)
    """
    plain = text.strip()
    if plain.startswith("```") and plain.endswith("```"):
        plain = plain[3:-3].removeprefix("json").strip()
    try:
        data = json.loads(plain, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def _refused(constant: str) -> None:
    """NaN and infinities, which Python reads and JSON does not know."""
    raise ValueError(constant)


def load(component: Component, settings: Settings) -> LocalModel:
    """The model that the profile pins, or the one in the folder that the settings name instead.

    Raises:
        ModelUnavailable: it is not on this machine, is not fit to be opened, or this machine can't run it.
        ConfigError: the component's arguments are malformed.
    """
    from dqa.models.vlm.local_load import load_model, load_processor
    from dqa.models.vlm.local_machine import Machine, arguments, choose

    wanted = arguments(component)
    folder = find(component, settings.vlm_folder)
    how = choose(wanted, Machine.here())
    log.info("loading", component=component.id, device=how.device, dtype=how.dtype, nf4=how.nf4, how=how.attention)
    chat = Chat(load_processor(folder), wanted.max_side)
    model = load_model(folder, how)
    return LocalModel(model, chat, _identity(component, settings, folder))


def _identity(component: Component, settings: Settings, folder: Path) -> ModelIdentity:
    """The hub's revision names its files; a folder is named by what is in it, since the profile can't vouch for it."""
    if settings.vlm_folder is None and component.revision is not None:
        return component.identity()
    return ModelIdentity(
        id=folder.name,
        sha256=fingerprint(folder, settings.home),
        licence="the model's own",
        weakness=component.weakness,
    )
