"""A ComfyUI server over HTTP: submit a workflow, wait for it, fetch what it made.

What its API is known to do is met here: its history may be late (it is polled until it speaks), a prompt may be queued
without the output that was wanted (``node_errors`` beside HTTP 200), an interrupted run and a failed one look alike but
for a message, and a server that was restarted has forgotten what it was asked for.
"""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self, cast

import httpx

from dqa.comfy.progress import Progress, watching
from dqa.comfy.words import broken_outputs, failure, node_problems, refusal
from dqa.errors import Cancelled, InputError, ServiceUnavailable, TookTooLong, UnavailableError

_POLL_S = 0.1
_SLOWEST_POLL_S = 1.0
_FORGOTTEN_S = 5.0
"""How long a prompt may be in neither queue nor history: the history is written a little after the queue is left."""

_SUBMIT_S = 300.0
"""How long the answer to a prompt is waited for: a server that loads a model answers nobody meanwhile, and what is
asked again too early may run twice."""

_CANCEL_S = 5.0
_AWAY = frozenset({502, 503, 504})
"""What a proxy says of a server that is not up (yet)."""

_MAX_SUFFIX = re.compile(r"^\.[A-Za-z0-9]{1,8}$")


@dataclass(frozen=True, slots=True)
class Made:
    """One file that a run made.

    Attributes:
        node: id of the node that saved it.
        filename, subfolder, kind: how the server names it (``kind``: output, temp or input).
    """

    node: str
    filename: str
    subfolder: str
    kind: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that succeeded. ``cached``: every node was, so that the files are those of an earlier run."""

    prompt_id: str
    files: tuple[Made, ...]
    texts: Mapping[str, tuple[str, ...]]
    cached: bool


class Comfy:
    """One server.

    Args:
        url: where it is, e.g. ``http://127.0.0.1:8188``.
        patience_s: how long a server that went away is waited for; with many node packs a start takes its time.
        transport: for tests.
    Every method raises ``ServiceUnavailable`` when the server does not answer for that long.
    """

    def __init__(self, url: str, *, patience_s: float = 300.0, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._http = httpx.Client(base_url=self.url, timeout=httpx.Timeout(30.0, connect=5.0), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ping(self) -> None:
        """Raises ``ServiceUnavailable`` at once when there is no server: only one that was there is waited for."""
        try:
            answer = self._http.get("/queue")
        except httpx.ReadTimeout:  # it is there, and busy
            return
        except httpx.HTTPError:
            raise self._gone() from None
        if "queue_running" not in _json(answer):
            raise ServiceUnavailable(
                f"what answers at {self.url} is no ComfyUI", fix="set DQA_COMFY_URL to its address"
            )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def run(
        self,
        graph: Mapping[str, Any],
        wanted: Sequence[str] = (),
        *,
        prompt_id: str | None = None,
        timeout_s: float = 3600.0,
        progress: Progress | None = None,
        metadata: Mapping[str, Any] | None = None,
        taken_up: bool = False,
    ) -> Finished:
        """Submits a workflow and waits until it is done. Interrupting the caller takes the prompt off the server.

        Args:
            graph: the workflow's JSON in API format.
            wanted: ids of the output nodes that must be valid.
            prompt_id: the run's own id; default a new one.
            timeout_s: longest it may take, waiting in the queue included; then it is taken off the server.
            progress: told what the server does.
            metadata: written into the files that the run makes, where their format can hold it.
            taken_up: the run was submitted under this ``prompt_id`` before, and is submitted again only if the server
                knows nothing of it.

        Raises:
            InputError: the server refuses the workflow, or one of the wanted outputs.
            Cancelled: somebody interrupted the run.
            TookTooLong: it took longer than ``timeout_s``.
            UnavailableError: a node failed, or the server does not answer.
        """
        name = prompt_id or str(uuid.uuid4())
        body = {"prompt": graph, "prompt_id": name, "client_id": name, "extra_data": {"extra_pnginfo": metadata or {}}}
        tell = progress or _silent
        try:
            with watching(self.url, name, tell):
                if not taken_up:
                    self._submit(body, wanted)
                return self._wait(name, body, wanted, timeout_s, tell)
        except (KeyboardInterrupt, TookTooLong):
            with contextlib.suppress(ServiceUnavailable):
                self.cancel(name)
            raise

    def cancel(self, prompt_id: str) -> None:
        """Takes a prompt off the queue, and interrupts it if it runs already; no other prompt is touched."""
        patience_s = min(_CANCEL_S, self._patience_s)
        self._ask("POST", "/queue", patience_s=patience_s, json={"delete": [prompt_id]})
        self._ask("POST", "/interrupt", patience_s=patience_s, json={"prompt_id": prompt_id})

    def free(self) -> None:
        """Asks the server to unload its models and free its memory."""
        self._ask("POST", "/free", json={"unload_models": True, "free_memory": True})

    def upload(self, file: Path, subfolder: str = "dqa") -> str:
        """Sends an image or video for Load Image and Load Video; returns the name the server gave it."""
        with file.open("rb") as opened:
            answer = self._ask(
                "POST",
                "/upload/image",
                files={"image": (_safe(file.name), opened)},
                data={"subfolder": subfolder, "type": "input"},
            )
        if not answer.is_success:
            raise InputError(
                f"ComfyUI did not take the file ({answer.status_code})", fix="see its log", where=str(file)
            )
        said = _json(answer)
        return f"{said['subfolder']}/{said['name']}" if said.get("subfolder") else str(said["name"])

    def download(self, made: Made, folder: Path, most_bytes: float = 2e9) -> Path:
        """Fetches a file into ``folder`` under a name that stays inside it, and returns its path.

        Raises:
            UnavailableError: it is not there any more, or larger than ``most_bytes``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        target = _free_name(folder, _safe(made.filename))
        part = target.with_name(target.name + ".part")
        asked = {"filename": made.filename, "subfolder": made.subfolder, "type": made.kind}
        try:
            with self._http.stream("GET", "/view", params=asked) as answer, part.open("wb") as out:
                if not answer.is_success:
                    raise UnavailableError(f"ComfyUI no longer has {made.filename}", fix="run the workflow again")
                for chunk in answer.iter_bytes():
                    out.write(chunk)
                    if out.tell() > most_bytes:
                        raise UnavailableError(f"{made.filename} is too large", fix="raise DQA_MAX_MEDIA_MB")
            part.rename(target)
        except httpx.HTTPError:
            raise self._gone() from None
        finally:
            part.unlink(missing_ok=True)
        return target

    def _submit(self, body: Mapping[str, Any], wanted: Sequence[str]) -> None:
        """Posts a prompt. After a lost answer it is looked for before it is posted again: no prompt runs twice."""
        until = time.monotonic() + self._patience_s
        while True:
            try:
                answer = self._http.post("/prompt", json=body, timeout=httpx.Timeout(_SUBMIT_S, connect=5.0))
                if answer.status_code not in _AWAY:
                    break
                self._pause(until)
            except httpx.ConnectError:
                self._pause(until)
            except httpx.HTTPError:
                self._pause(until)
                if self._knows(str(body["prompt_id"])):
                    return
        if not answer.is_success:
            raise refusal(_json(answer), answer.status_code)
        errors = _json(answer).get("node_errors")
        lost = broken_outputs(errors) & set(wanted)
        if lost:
            self.cancel(str(body["prompt_id"]))
            words = "; ".join(text for text, _ in node_problems(errors))
            what = f"ComfyUI would run without output {', '.join(sorted(lost))}: {words}"
            raise InputError(what, fix="correct that node and export the workflow again")

    def _wait(
        self, name: str, body: Mapping[str, Any], wanted: Sequence[str], timeout_s: float, tell: Progress
    ) -> Finished:
        until = time.monotonic() + timeout_s
        missing_since: float | None = None
        pause, asked_again = _POLL_S, False
        while time.monotonic() < until:
            entry = self._history(name, until, tell)
            if entry is not None:
                return _finished(name, entry, body["prompt"])
            place = self._place(name, until, tell)
            now = time.monotonic()
            missing_since = None if place is not None else missing_since or now
            if missing_since is not None and now - missing_since > _FORGOTTEN_S:
                if asked_again:
                    raise UnavailableError("ComfyUI forgot the prompt, twice", fix="see its log; did it restart?")
                self._submit(body, wanted)
                missing_since, asked_again = None, True
            tell(*_stage(place))
            time.sleep(pause)
            pause = min(_SLOWEST_POLL_S, pause * 1.2)
        raise TookTooLong(f"ComfyUI took longer than {timeout_s:g} seconds", fix="give it more time with --timeout")

    def _knows(self, name: str) -> bool:
        return self._history(name) is not None or self._place(name) is not None

    def _history(self, name: str, busy_until: float = 0.0, tell: Progress | None = None) -> dict[str, Any] | None:
        entry = _json(self._ask("GET", f"/history/{name}", busy_until=busy_until, tell=tell)).get(name)
        status = entry.get("status") if isinstance(entry, dict) else None
        done = isinstance(status, dict) and (status.get("completed") or status.get("status_str") == "error")
        return cast("dict[str, Any]", entry) if done else None

    def _place(self, name: str, busy_until: float = 0.0, tell: Progress | None = None) -> int | None:
        """0 while it runs, 1 for the next in the queue and so on; None when it is in neither."""
        queue = _json(self._ask("GET", "/queue", busy_until=busy_until, tell=tell))
        if any(name == item[1] for item in queue.get("queue_running") or ()):
            return 0
        waiting = sorted(queue.get("queue_pending") or (), key=lambda item: item[0])
        return next((n for n, item in enumerate(waiting, 1) if item[1] == name), None)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        busy_until: float = 0.0,
        patience_s: float | None = None,
        tell: Progress | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request, repeated while the server can't be reached; only for those that may be repeated.

        Args:
            busy_until: till when a server that takes the connection and says nothing is waited for: it is at work.
            patience_s: how long one that is gone is waited for.
            tell: told that it is.
        """
        until = time.monotonic() + (self._patience_s if patience_s is None else patience_s)
        while True:
            try:
                answer = self._http.request(method, path, **more)
                if answer.status_code not in _AWAY:
                    return answer
                self._pause(until)
            except httpx.ReadTimeout:
                self._pause(max(until, busy_until))
            except httpx.HTTPError:
                self._pause(until)
            (tell or _silent)("waiting for ComfyUI to answer", None)

    def _pause(self, until: float) -> None:
        if time.monotonic() > until:
            raise self._gone()
        time.sleep(0.25)

    def _gone(self) -> ServiceUnavailable:
        return ServiceUnavailable(f"ComfyUI does not answer at {self.url}", fix="start it, or set DQA_COMFY_URL")


def _finished(name: str, entry: Mapping[str, Any], graph: Mapping[str, Any]) -> Finished:
    """What a history entry tells, in the graph's order; raises for a run that did not succeed."""
    status: dict[str, Any] = entry.get("status") or {}
    messages = {str(m[0]): m[1] for m in status.get("messages") or () if len(m) == 2}
    # A run that ends before its first node can say "success" beside the message of its failure.
    if status.get("status_str") == "error" or "execution_error" in messages:
        if "execution_interrupted" in messages:
            raise Cancelled("the run was interrupted in ComfyUI", fix="run it again")
        raise failure(messages.get("execution_error") or {})
    told = cast("dict[str, dict[str, Any]]", entry.get("outputs") or {})
    # The server's own order is that of a set: another one after each start.
    outputs = {node: told[node] for node in (*graph, *told) if node in told}
    files = tuple(made for node, output in outputs.items() for made in _files(node, output))
    texts = {node: _texts(output["text"]) for node, output in outputs.items() if output.get("text")}
    cached = set((messages.get("execution_cached") or {}).get("nodes") or ())
    return Finished(name, files, texts, cached=bool(outputs) and outputs.keys() <= cached)


def _files(node: str, output: Mapping[str, Any]) -> Iterator[Made]:
    """Every item that names a file, under whatever key: videos come as ``images`` or ``gifs``."""
    for values in output.values():
        for item in cast("list[object]", values) if isinstance(values, list) else ():
            if isinstance(item, dict) and isinstance(cast("dict[str, Any]", item).get("filename"), str):
                found = cast("dict[str, Any]", item)
                yield Made(
                    node, found["filename"], str(found.get("subfolder") or ""), str(found.get("type") or "output")
                )


def _texts(told: object) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", told))) if isinstance(told, list) else (str(told),)


def _stage(place: int | None) -> tuple[str, float | None]:
    if place is None:
        return "finishing", None
    return ("running", None) if place == 0 else (f"{place} before it in the queue", 0.0)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        data = answer.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _safe(filename: str) -> str:
    """A file name from a server, without folders, control characters, or a suffix that is none."""
    plain = re.sub(r"[^\w .()-]", "_", PurePath(filename.replace("\\", "/")).name).strip(". ") or "file"
    suffix = PurePath(plain).suffix
    return plain[:120] if not suffix or _MAX_SUFFIX.match(suffix) else plain[:120] + "_"


def _free_name(folder: Path, name: str) -> Path:
    path, n = folder / name, 1
    while path.exists():
        path = folder / f"{PurePath(name).stem} ({n}){PurePath(name).suffix}"
        n += 1
    return path


def _silent(stage: str, share: float | None) -> None:
    del stage, share
