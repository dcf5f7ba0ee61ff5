"""Starts Letta's server inside its own environment; run as a file by that environment's interpreter, without DQA.

stdin is one JSON object of variables that are secrets. So they stand in no environment that another process could
read, the process refuses to be inspected by others of its user (the tools run as the same user), and the server's
habit of printing its password and database address is cut short.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import sys
from typing import TextIO, cast

_PR_SET_DUMPABLE = 4
_SHORTEST_SECRET = 8


class _Redacted:
    """A text stream that writes ``***`` for every secret."""

    def __init__(self, stream: TextIO, secrets: list[str]) -> None:
        self._stream = stream
        self._secrets = secrets

    def write(self, text: str) -> int:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def main(host: str, port: int) -> None:
    """Reads the secrets, hides the process, and serves until it is stopped."""
    variables: dict[str, str] = json.loads(sys.stdin.read())
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    os.environ.update(variables)
    secrets = [value for value in variables.values() if len(value) >= _SHORTEST_SECRET]
    sys.stdout = cast(TextIO, _Redacted(sys.stdout, secrets))
    sys.stderr = cast(TextIO, _Redacted(sys.stderr, secrets))
    sys.argv = ["letta", "--no-generation"]  # no copy of the API's description in the working folder
    importlib.import_module("letta.server.rest_api.app").start_server(host=host, port=port)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
