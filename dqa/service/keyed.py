"""The client's ``Idempotency-Key`` with what it stands for."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel

from dqa.store.keys import IdempotencyKey


def keyed(key: str | None, route: str, asked: BaseModel, user: str) -> IdempotencyKey | None:
    """The key of a request to ``route`` (at most 64 characters); None when the client sent none.

    Args:
        key: the header.
        route: one key means different things on different routes.
        asked: the request.
        user: whose request it is, by name or by default.
    """
    if key is None:
        return None
    body = json.dumps({**asked.model_dump(mode="json"), "user": user}, sort_keys=True)
    return IdempotencyKey(key, route, hashlib.sha256(body.encode()).hexdigest())
