"""A stand-in for the Hugging Face hub on this machine: the endpoints that ``huggingface_hub`` uses to fetch a model."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

Files = dict[str, bytes]
_API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
_FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Hub:
    """What the stand-in has and how it misbehaves.

    Attributes:
        models: id -> commit -> files; ``branches`` says which commit is a model's ``main``.
        gated: ids that are given to nobody.
        swapped: (id, file) -> bytes served in place of those it states.
        broken: (id, file) -> after how many bytes the connection breaks, once.
        stalled: (id, file) -> after how many bytes nothing more comes, once, until ``go_on`` is set.
        served: (id, file, first byte) of every file request that was answered.
        asked: how many requests came, of any kind.
    """

    url: str = ""
    models: dict[str, dict[str, Files]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    licence: str = "mit"
    gated: set[str] = field(default_factory=set)
    swapped: dict[tuple[str, str], bytes] = field(default_factory=dict)
    broken: dict[tuple[str, str], int] = field(default_factory=dict)
    stalled: dict[tuple[str, str], int] = field(default_factory=dict)
    go_on: threading.Event = field(default_factory=threading.Event)
    served: list[tuple[str, str, int]] = field(default_factory=list)
    asked: int = 0

    def publish(self, name: str, folder: Path, **more: bytes) -> str:
        """Puts the files of a folder on ``main``; gives the commit."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} | more
        digest = hashlib.sha1(b"".join(n.encode() + hashlib.sha256(files[n]).digest() for n in sorted(files)))
        commit = digest.hexdigest()
        self.models.setdefault(name, {})[commit] = files
        self.branches[name] = commit
        return commit

    def commit(self, name: str, revision: str | None) -> str | None:
        if revision in (None, "main"):
            return self.branches.get(name)
        return revision if revision in self.models.get(name, {}) else None


class _Answers(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.asked += 1
        path = unquote(urlsplit(self.path).path)
        if found := _API.fullmatch(path):
            self._model(found[1], found[2])
        elif found := _FILE.fullmatch(path):
            self._file(found[1], found[2], found[3])
        else:
            self._refuse(404, "EntryNotFound")

    do_HEAD = do_GET

    def _model(self, name: str, revision: str | None) -> None:
        if name in self.hub.gated:
            return self._refuse(403, "GatedRepo")
        if name not in self.hub.models:
            return self._refuse(404, "RepoNotFound")
        commit = self.hub.commit(name, revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        files = self.hub.models[name][commit]
        told = {
            "id": name,
            "modelId": name,
            "sha": commit,
            "private": False,
            "gated": False,
            "tags": [],
            "cardData": {"license": self.hub.licence},
            "siblings": [_sibling(file, content) for file, content in files.items()],
        }
        return self._send(json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, revision: str, file: str) -> None:
        commit = self.hub.commit(name, revision)
        content = self.hub.models.get(name, {}).get(commit or "", {}).get(file)
        if content is None:
            return self._refuse(404, "EntryNotFound")
        stated = _sibling(file, content)
        etag = stated["lfs"]["sha256"] if "lfs" in stated else stated["blobId"]
        sent = self.hub.swapped.get((name, file), content)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": str(commit), "Accept-Ranges": "bytes"}
        return self._send(sent, headers, (name, file))

    def _send(self, content: bytes, headers: dict[str, str], which: tuple[str, str] | None = None) -> None:
        first = 0
        if which is not None and (asked := self.headers.get("Range")):
            first = int(asked.removeprefix("bytes=").split("-")[0])
            headers |= {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        self.send_response(206 if first else 200)
        for key, value in {**headers, "Content-Length": str(len(content) - first)}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        upto = stop = None
        if which is not None:
            self.hub.served.append((*which, first))
            upto = self.hub.broken.pop(which, None)
            stop = self.hub.stalled.pop(which, None)
        if stop is not None:
            self.wfile.write(content[first:stop])
            self.wfile.flush()
            self.hub.go_on.wait(120)
            self.close_connection = True
            return
        self.wfile.write(content[first:upto])
        if upto is not None:
            self.close_connection = True
            self.wfile.flush()

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    found: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith((".safetensors", ".bin")):
        found["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return found


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serves ``hub`` while the block runs, and tells it its URL."""
    answers = type("Answers", (_Answers,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point(monkeypatch: pytest.MonkeyPatch, hub: Hub, cache: Path) -> None:
    """Has ``huggingface_hub``, in this process, ask the stand-in and keep what it gets in ``cache``."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
