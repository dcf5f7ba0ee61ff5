"""A stand-in for a ComfyUI server, with the ways of the real one that clients trip over.

It runs no nodes: it takes the prompt, waits a little, and says what a real server would say. What it makes is a PNG or
MP4 whose bytes tell the prompt, so that a test can look at them. Faults are switched on by attributes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
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


@dataclass
class StandIn:
    """One server and its faults.

    Attributes:
        seconds: how long a run takes.
        history_late_s: for how long after a run its history is still empty.
        fail: message of an exception that the first node raises.
        missing_model: a checkpoint name that is not in the list.
        broken_output: an output node that fails validation while others pass (HTTP 200 with node_errors).
        forget: prompts are forgotten once, as by a restart.
    """

    seconds: float = 0.05
    history_late_s: float = 0.0
    fail: str = ""
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

    async def post_prompt(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ValueError:
            return PlainTextResponse("500 Internal Server Error", 500)
        graph = body.get("prompt")
        refused = self._refuse(graph)
        if refused:
            return JSONResponse(refused, 400)
        errors = self._node_errors(graph)
        job = {"id": body["prompt_id"], "graph": graph, "extra": body.get("extra_data"), "without": set(errors)}
        self.submitted.append(job)
        if self.forget:
            self.forget = False
        else:
            self.pending.append(job)
        return JSONResponse({"prompt_id": job["id"], "number": len(self.submitted), "node_errors": errors})

    def _refuse(self, graph: Any) -> dict[str, Any] | None:
        if not isinstance(graph, dict):
            return {"error": {"type": "no_prompt", "message": "No prompt provided", "details": ""}, "node_errors": {}}
        for name, node in graph.items():
            if node.get("class_type") not in KNOWN:
                what = f"Node {node.get('class_type')} not found"
                return {"error": {"type": "invalid_prompt", "message": what, "details": f"#{name}"}, "node_errors": {}}
        if not any(node["class_type"] in OUTPUTS for node in graph.values()):
            error = {"type": "prompt_no_outputs", "message": "Prompt has no outputs", "details": ""}
            return {"error": error, "node_errors": {}}
        bad = [n for n, node in graph.items() if node["inputs"].get("ckpt_name", "") == self.missing_model != ""]
        if bad:
            detail = f"ckpt_name: '{self.missing_model}' not in []"
            problem = {"type": "value_not_in_list", "message": "Value not in list", "details": detail}
            errors = {bad[0]: {"errors": [problem], "dependent_outputs": ["9"], "class_type": "CheckpointLoaderSimple"}}
            error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed", "details": ""}
            return {"error": error, "node_errors": errors}
        return None

    def _node_errors(self, graph: dict[str, Any]) -> dict[str, Any]:
        if self.broken_output not in graph:
            return {}
        problem = {"type": "required_input_missing", "message": "Required input is missing", "details": "images"}
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
        key = hashlib.sha256(json.dumps(job["graph"], sort_keys=True).encode()).hexdigest()
        cached = key in self.cache and not self.fail
        messages: list[list[Any]] = [["execution_start", {"prompt_id": job["id"]}]]
        messages.append(["execution_cached", {"nodes": list(job["graph"]) if cached else [], "prompt_id": job["id"]}])
        if not cached:
            steps = 5
            for step in range(steps):
                await self._tell(job["id"], "progress", {"value": step + 1, "max": steps, "node": "3"})
                await asyncio.sleep(self.seconds / steps)
                if job["id"] in self.interrupted:
                    self._end(job, messages, "execution_interrupted", {}, {})
                    return
            if self.fail:
                error = {"node_id": "3", "node_type": "KSampler", "exception_message": self.fail}
                self._end(job, messages, "execution_error", {**error, "exception_type": "RuntimeError"}, {})
                return
        outputs = self.cache.get(key) or self._make(job)
        self.cache[key] = outputs
        self._end(job, messages, "execution_success", {}, outputs)

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
            suffix = "png" if node["class_type"] == "SaveImage" else "mp4"
            file = f"ComfyUI_{self.counter:05}_.{suffix}"
            self.files[file] = json.dumps(job["graph"], sort_keys=True).encode()
            outputs[name] = {key: [{"filename": file, "subfolder": "video", "type": "output"}], "animated": [True]}
        return outputs

    def _end(self, job: dict[str, Any], messages: list[Any], kind: str, data: dict[str, Any], outputs: Any) -> None:
        ok = kind == "execution_success"
        status = {"status_str": "success" if ok else "error", "completed": ok, "messages": [*messages, [kind, data]]}
        self.history[job["id"]] = {"prompt": [1, job["id"], job["graph"]], "outputs": outputs, "status": status}
        self.ready_at[job["id"]] = time.monotonic() + self.history_late_s

    async def get_history(self, request: Request) -> Response:
        name = request.path_params["id"]
        late = time.monotonic() < self.ready_at.get(name, 0)
        return JSONResponse({} if late or name not in self.history else {name: self.history[name]})

    async def get_queue(self, request: Request) -> Response:
        running = [[0, self.running["id"], {}, {}, []]] if self.running else []
        return JSONResponse(
            {"queue_running": running, "queue_pending": [[n, job["id"]] for n, job in enumerate(self.pending)]}
        )

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
        await websocket.send_json({"type": "status", "data": {"status": {}}})
        await websocket.send_bytes(b"\x00\x00\x00\x01preview")
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


@contextlib.contextmanager
def serving(stand_in: StandIn, port: int = 0) -> Iterator[str]:
    """Runs it; gives its URL."""
    with local_server(stand_in.app(), port, ws="websockets-sansio") as url:
        yield url
