"""A stand-in for a ComfyUI server, with the ways of the real one that clients trip over.

It runs no nodes: it takes the prompt, waits a little, and says what a real server would say. What it makes is a PNG or
MP4 whose bytes tell the prompt, so that a test can look at them. Faults are switched on by attributes.

Its answers were compared field by field with those of a real 0.3.64 (see tests/comfy/test_standin.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.local_server import local_server

KNOWN = {
    "CheckpointLoaderSimple", "CLIPTextEncode", "KSampler", "EmptyLatentImage", "VAEDecode", "SaveImage", "SaveVideo",
    "CreateVideo", "PrimitiveStringMultiline", "PrimitiveInt", "VHS_VideoCombine", "PreviewAny",
}  # fmt: skip
OUTPUTS = {"SaveImage": "images", "SaveVideo": "images", "VHS_VideoCombine": "gifs", "PreviewAny": "text"}
MOST_BYTES = 100 * 2**20
TROUBLE = "500 Internal Server Error\n\nServer got itself in trouble"


@dataclass
class StandIn:
    """One server and its faults.

    Attributes:
        seconds: how long a run takes.
        history_late_s: for how long after a run its history is still empty.
        fail: message of an exception that the first node raises.
        fail_early: it is raised before any node runs; then the status says "success" all the same.
        missing_model: a checkpoint name that is not in the list.
        broken_output: an output node that fails validation while others pass (HTTP 200 with node_errors).
        forget: prompts are forgotten once, as by a restart.
        held_after: files after which it makes no more until this is None.
    """

    seconds: float = 0.05
    history_late_s: float = 0.0
    fail: str = ""
    fail_early: bool = False
    missing_model: str = ""
    broken_output: str = ""
    forget: bool = False
    submitted: list[dict[str, Any]] = field(default_factory=list)
    running: dict[str, Any] | None = None
    pending: list[dict[str, Any]] = field(default_factory=list)
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    ready_at: dict[str, float] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    cache: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    freed: int = 0
    interrupted: set[str] = field(default_factory=set)
    sockets: dict[str, WebSocket] = field(default_factory=dict)
    counter: int = 0
    held_after: int | None = None

    async def post_prompt(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            return PlainTextResponse(TROUBLE, 500)
        if "prompt" not in body:
            return JSONResponse(_refusal("no_prompt", "No prompt provided", "No prompt provided"), 400)
        graph = body["prompt"]
        refused = self._refuse(graph)
        if refused:
            return JSONResponse(refused, 400)
        errors = self._node_errors(graph)
        extra = {**(body.get("extra_data") or {}), "client_id": body.get("client_id")}
        name, number = body.get("prompt_id") or str(uuid.uuid4()), len(self.submitted)
        job = {"id": name, "number": number, "graph": graph, "extra": extra, "without": set(errors)}
        self.submitted.append(job)
        if self.forget:
            self.forget = False
        else:
            self.pending.append(job)
        return JSONResponse({"prompt_id": name, "number": number, "node_errors": errors})

    def _refuse(self, graph: Any) -> dict[str, Any] | None:
        for name, node in graph.items():
            if "class_type" not in node:
                what = "Cannot execute because a node is missing the class_type property."
                return _refusal("invalid_prompt", what, f"Node ID '#{name}'")
            if node["class_type"] not in KNOWN:
                what = f"Cannot execute because node {node['class_type']} does not exist."
                return _refusal("invalid_prompt", what, f"Node ID '#{name}'")
        if not any(node["class_type"] in OUTPUTS for node in graph.values()):
            return _refusal("prompt_no_outputs", "Prompt has no outputs", "")
        bad = [n for n, node in graph.items() if node["inputs"].get("ckpt_name", "") == self.missing_model != ""]
        if bad:
            detail = f"ckpt_name: '{self.missing_model}' not in []"
            about = {"input_name": "ckpt_name", "input_config": [[], {}], "received_value": self.missing_model}
            problem = _problem("value_not_in_list", "Value not in list", detail, **about)
            outputs = [name for name, node in graph.items() if node["class_type"] in OUTPUTS]
            errors = {
                bad[0]: {"errors": [problem], "dependent_outputs": outputs, "class_type": "CheckpointLoaderSimple"}
            }
            what = "Prompt outputs failed validation"  # its details are the outputs' own errors: here they have none
            return {**_refusal("prompt_outputs_failed_validation", what, ""), "node_errors": errors}
        return None

    def _node_errors(self, graph: dict[str, Any]) -> dict[str, Any]:
        if self.broken_output not in graph:
            return {}
        problem = _problem("required_input_missing", "Required input is missing", "images", input_name="images")
        entry = {"errors": [problem], "dependent_outputs": [self.broken_output]}
        return {self.broken_output: {**entry, "class_type": graph[self.broken_output]["class_type"]}}

    async def work(self) -> None:
        """The queue: one prompt at a time, for ever."""
        while True:
            await asyncio.sleep(0.01)
            if self.pending:
                self.running = self.pending.pop(0)
                await self._execute(self.running)
                self.running = None

    async def _execute(self, job: dict[str, Any]) -> None:
        while self.held_after is not None and self.counter >= self.held_after:
            await asyncio.sleep(0.01)
        key = hashlib.sha256(json.dumps(job["graph"], sort_keys=True).encode()).hexdigest()
        cached = key in self.cache and not self.fail
        messages: list[list[Any]] = []
        await self._say(job, messages, "execution_start", {})
        await self._say(job, messages, "execution_cached", {"nodes": list(job["graph"]) if cached else []})
        if self.fail_early or not cached:
            stopped = await self._run_nodes(job)
            if stopped is not None:
                await self._say(job, messages, *stopped)
                self._end(job, messages, {}, ok=self.fail_early)
                return
        outputs = self.cache.get(key) or self._make(job)
        self.cache[key] = outputs
        for name, output in outputs.items():
            node = {"node": name, "display_node": name, "output": output}
            await self._tell(job["id"], "executed", node)
        await self._say(job, messages, "execution_success", {})
        self._end(job, messages, outputs, ok=True)
        await self._tell(job["id"], "executing", {"node": None})

    async def _run_nodes(self, job: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The message that ended the run early, if one did."""
        at = {"node_id": "3", "node_type": "KSampler", "executed": []}
        await self._tell(job["id"], "executing", {"node": "3", "display_node": "3"})
        steps = 0 if self.fail_early else 5
        for step in range(steps):
            await self._tell(job["id"], "progress", {"value": step + 1, "max": steps, "node": "3"})
            await asyncio.sleep(self.seconds / steps)
            if job["id"] in self.interrupted:
                return "execution_interrupted", at
        if not self.fail:
            return None
        raised = {"exception_message": self.fail, "exception_type": "RuntimeError", "traceback": []}
        return "execution_error", {**at, **raised, "current_inputs": {}, "current_outputs": []}

    async def _say(self, job: dict[str, Any], messages: list[list[Any]], kind: str, data: dict[str, Any]) -> None:
        """To the socket, and into the history."""
        said = {**data, "prompt_id": job["id"], "timestamp": round(time.time() * 1000)}
        messages.append([kind, said])
        await self._tell(job["id"], kind, said)

    def _make(self, job: dict[str, Any]) -> dict[str, Any]:
        outputs: dict[str, Any] = {}
        for name, node in job["graph"].items():
            key = OUTPUTS.get(node["class_type"])
            if key is None or name in job["without"]:
                continue
            if key == "text":
                outputs[name] = {"text": ["0.8"]}
                continue
            self.counter += 1
            still = node["class_type"] == "SaveImage"
            file = f"ComfyUI_{self.counter:05}_.{'png' if still else 'mp4'}"
            self.files[file] = json.dumps(job["graph"], sort_keys=True).encode()
            made = [{"filename": file, "subfolder": "video", "type": "output"}]
            outputs[name] = {key: made} if still else {key: made, "animated": [True]}
        return dict(reversed(outputs.items()))  # the real server's order is any: that of a set

    def _end(self, job: dict[str, Any], messages: list[Any], outputs: dict[str, Any], *, ok: bool) -> None:
        status = {"status_str": "success" if ok else "error", "completed": ok, "messages": messages}
        meta = {
            name: {"node_id": name, "display_node": name, "parent_node": None, "real_node_id": name} for name in outputs
        }
        self.history[job["id"]] = {"prompt": _queued(job), "outputs": outputs, "status": status, "meta": meta}
        self.ready_at[job["id"]] = time.monotonic() + self.history_late_s

    async def get_history(self, request: Request) -> Response:
        name = request.path_params["id"]
        late = time.monotonic() < self.ready_at.get(name, 0)
        return JSONResponse({} if late or name not in self.history else {name: self.history[name]})

    async def get_queue(self, request: Request) -> Response:
        running = [_queued(self.running)] if self.running else []
        return JSONResponse({"queue_running": running, "queue_pending": [_queued(job) for job in self.pending]})

    async def post_queue(self, request: Request) -> Response:
        gone = (await request.json()).get("delete", [])
        self.pending[:] = [job for job in self.pending if job["id"] not in gone]
        return Response()

    async def interrupt(self, request: Request) -> Response:
        name = (await request.json()).get("prompt_id")
        if self.running and name in (None, self.running["id"]):
            self.interrupted.add(self.running["id"])
        return Response()

    async def free(self, request: Request) -> Response:
        self.freed += bool((await request.json()).get("free_memory"))
        return Response()

    async def upload(self, request: Request) -> Response:
        async with request.form() as form:
            file: Any = form["image"]
            data, name, folder = await file.read(), file.filename, str(form.get("subfolder") or "")
        if len(data) > MOST_BYTES:
            return PlainTextResponse("413: Request Entity Too Large", 413)
        stem, _, suffix = name.rpartition(".")
        n = 0
        while self.uploads.get(name, data) != data:
            n += 1
            name = f"{stem} ({n}).{suffix}"
        self.uploads[name] = data
        return JSONResponse({"name": name, "subfolder": folder, "type": "input"})

    async def view(self, request: Request) -> Response:
        content = self.files.get(request.query_params["filename"])
        return Response(content) if content is not None else Response(status_code=404)

    async def watch(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.sockets[websocket.query_params["clientId"]] = websocket
        name = websocket.query_params["clientId"]
        left = {"exec_info": {"queue_remaining": len(self.pending) + bool(self.running)}}
        await websocket.send_json({"type": "status", "data": {"status": left, "sid": name}})
        await websocket.send_bytes(b"\x00\x00\x00\x01preview")  # as with previews switched on
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.receive_text()

    async def _tell(self, name: str, kind: str, data: dict[str, Any]) -> None:
        if name in self.sockets:
            with contextlib.suppress(Exception):
                await self.sockets[name].send_json({"type": kind, "data": {**data, "prompt_id": name}})

    def app(self) -> Any:
        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> Any:
            task = asyncio.create_task(self.work())
            yield
            task.cancel()

        routes = [
            Route("/prompt", self.post_prompt, methods=["POST"]),
            Route("/history/{id}", self.get_history),
            Route("/queue", self.get_queue, methods=["GET"]),
            Route("/queue", self.post_queue, methods=["POST"]),
            Route("/interrupt", self.interrupt, methods=["POST"]),
            Route("/free", self.free, methods=["POST"]),
            Route("/upload/image", self.upload, methods=["POST"]),
            Route("/view", self.view),
            WebSocketRoute("/ws", self.watch),
        ]
        return Starlette(routes=routes, lifespan=lifespan)


def _refusal(kind: str, message: str, details: str) -> dict[str, Any]:
    return {"error": _problem(kind, message, details), "node_errors": {}}


def _problem(kind: str, message: str, details: str, **extra: Any) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": extra}


def _queued(job: dict[str, Any]) -> list[Any]:
    """As the queue and the history show a prompt."""
    outputs = [name for name, node in job["graph"].items() if node["class_type"] in OUTPUTS]
    return [job["number"], job["id"], job["graph"], job["extra"], [n for n in outputs if n not in job["without"]]]


@contextlib.contextmanager
def serving(stand_in: StandIn, port: int = 0) -> Iterator[str]:
    """Runs it; gives its URL."""
    with local_server(stand_in.app(), port, ws="websockets-sansio") as url:
        yield url
