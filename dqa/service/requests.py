"""A request to evaluate, checked as far as it can be without decoding anything."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from pydantic import JsonValue

from dqa.clip.container import sniff
from dqa.clip.guard import resolve_media
from dqa.errors import MediaNotFound, MediaTooLarge
from dqa.ids import new_id
from dqa.models.profiles import load_profile
from dqa.prompt import check_prompt
from dqa.service.context import Service
from dqa.service.schemas import EvaluationRequest
from dqa.store import NewJob
from dqa.store.keys import IdempotencyKey

_MEDIA_ID = re.compile(r"md_[0-9a-hjkmnp-tv-z]{26}")


@dataclass(frozen=True, slots=True)
class Source:
    """The file to judge, the folders it must still lie in when it is opened, and its id if it is an upload."""

    path: str
    roots: list[JsonValue]
    media_id: str | None


def new_job(service: Service, asked: EvaluationRequest) -> NewJob:
    """Checks prompt, profile and media, and says what the worker has to do.

    Raises:
        InputError: the prompt or media can't be used.
        ConfigError: there is no such profile.
    """
    prompt = check_prompt(asked.prompt)
    profile = load_profile(asked.profile or service.settings.profile).name
    source = source_of(service, asked.media)
    user = asked.user or service.settings.user
    request: dict[str, JsonValue] = {
        "media": asked.media,
        "path": source.path,
        "roots": source.roots,
        "prompt": prompt,
        "user": user,
        "profile": profile,
        "channels": list(asked.channels) if asked.channels else None,
    }
    return NewJob(new_id("ev"), user, profile, request, source.media_id)


def idempotency_key(key: str | None, asked: EvaluationRequest) -> IdempotencyKey | None:
    """The key with what it stands for; how long to wait is no part of that."""
    if key is None:
        return None
    body = json.dumps(asked.model_dump(mode="json", exclude={"wait"}), sort_keys=True)
    return IdempotencyKey(key, "evaluations", hashlib.sha256(body.encode()).hexdigest())


def source_of(service: Service, media: str) -> Source:
    """Where the media lies that a client named: an upload, or a file under a configured root.

    Raises:
        InputError: it is not there, may not be read, or is not media.
    """
    if _MEDIA_ID.fullmatch(media):
        stored = service.store.media.get(media)
        if not stored.path.is_file():
            raise MediaNotFound("the file of that media is gone", fix="upload it again with POST /v1/media")
        return Source(str(stored.path), [str(service.store.media.folder)], stored.id)
    path = resolve_media(media, service.settings.roots)
    if path.stat().st_size > service.settings.max_media_mb * 1e6:
        raise MediaTooLarge(f"the file is over {service.settings.max_media_mb:g} MB", fix="give a smaller one")
    sniff(path)
    return Source(str(path), [str(root) for root in service.settings.roots], None)
