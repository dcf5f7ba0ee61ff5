"""Structured logs on stderr, one JSON object a line; secrets are cut out wherever they stand."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import structlog

from dqa.config import Settings

_SECRET_KEYS = frozenset({"authorization", "token", "password", "secret", "cookie", "database_url"})
_CUT = "[redacted]"


def configure(settings: Settings) -> None:
    """Sends our logs and the libraries' (uvicorn, asyncio) to stderr in one form."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    shared: list[structlog.types.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        Redactor(secrets_of(settings)),
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared[:-2],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared[-2:]],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Strings that may appear in no log: the token, and the database's password."""
    token = settings.token.get_secret_value() if settings.token else ""
    credentials, at, _ = settings.database.partition("//")[2].rpartition("@")
    password = credentials.partition(":")[2] if at else ""
    return tuple(secret for secret in (token, password) if secret)


class Redactor:
    """A processor that cuts out secrets: by the name of the field, and by value anywhere in a text."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: self._clean(key, value) for key, value in event.items()}

    def _clean(self, key: str, value: object) -> object:
        if key.lower() in _SECRET_KEYS:
            return _CUT
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, _CUT)
            return value
        if isinstance(value, Mapping):
            return {k: self._clean(str(k), v) for k, v in cast("Mapping[Any, object]", value).items()}
        if isinstance(value, list | tuple):
            return [self._clean("", item) for item in cast("list[object]", value)]
        return value if isinstance(value, bool | int | float | None) else self._clean("", str(value))
