"""The brain over HTTP: the forms that OpenAI's clients and Letta expect, and what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from dqa.brain import MODEL, NAME
from dqa.brain.server import EMBEDDING_MODEL, create_app
from dqa.brain.vectors import WIDTH, Embedder, packaged
from dqa.errors import ModelUnavailable
from dqa.models.roles import Vectors


class Lengths:
    """Stands in for the sentence model: a text's length, twice."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = np.array([[len(text), 1.0] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def client() -> TestClient:
    return TestClient(create_app(Embedder(Lengths)), base_url="http://127.0.0.1:8764")


def test_it_names_what_it_is_wherever_it_shows(client: TestClient) -> None:
    models = client.get("/v1/models").json()["data"]
    assert {model["id"] for model in models} == {MODEL, EMBEDDING_MODEL}
    assert all(NAME in model["owned_by"] for model in models)
    assert client.get(f"/v1/models/{MODEL}").json()["id"] == MODEL
    assert client.get("/v1/models/gpt-9").status_code == 404
    assert NAME in client.get("/healthz").text
    said = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]}).json()
    assert NAME in said["choices"][0]["message"]["content"]


def test_chat_whole_and_streamed(client: TestClient) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": None}
    whole = client.post("/v1/chat/completions", json=asked).json()
    streamed = client.post("/v1/chat/completions", json={**asked, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    parts = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    text = "".join(part["choices"][0]["delta"].get("content") or "" for part in parts)
    assert text == whole["choices"][0]["message"]["content"]


def test_embeddings_as_numbers_and_as_base64(client: TestClient) -> None:
    asked = {"model": EMBEDDING_MODEL, "input": ["ab", "abcd"]}
    rows = [item["embedding"] for item in client.post("/v1/embeddings", json=asked).json()["data"]]
    packed = client.post("/v1/embeddings", json={**asked, "encoding_format": "base64"}).json()["data"]
    for row, item in zip(rows, packed, strict=True):
        assert len(row) == WIDTH == 1536
        assert np.linalg.norm(row) == pytest.approx(1.0)
        assert np.allclose(np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4"), row)
    one = client.post("/v1/embeddings", json={"input": "ab", "dimensions": 2}).json()["data"]
    assert one[0]["embedding"] == pytest.approx(rows[0][:2])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", "not json"),
        ("/v1/chat/completions", "[]"),
        ("/v1/chat/completions", '{"messages": 7}'),
        ("/v1/chat/completions", '{"messages": [7]}'),
        ("/v1/chat/completions", '{"messages": [], "tools": [7]}'),
        ("/v1/chat/completions", "[" * 100_000),
        ("/v1/embeddings", '{"input": [[1, 2]]}'),
        ("/v1/embeddings", '{"input": "a", "dimensions": 0}'),
        ("/v1/embeddings", "{}"),
        ("/v1/chat/completions", '{"messages": [], "model": "\\ud800"}'),
        ("/v1/embeddings", '{"input": "\\ud800"}'),
        ("/v1/embeddings", '{"input": "a", "model": NaN}'),
    ],
)
def test_a_malformed_request_is_a_400_in_openai_s_form(client: TestClient, path: str, body: str) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_half_a_character_within_a_message_s_json_upsets_no_answer(client: TestClient, stream: bool) -> None:
    said = [{"role": "user", "content": 'media: "w.mp4"\nprompt: "a wolf \\ud800 runs"'}]
    tools = [{"type": "function", "function": {"name": "grade", "parameters": {"properties": {"prompt": {}}}}}]
    asked = {"messages": said, "tools": tools, "tool_choice": "required", "stream": stream}
    answer = client.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200
    assert "a wolf ? runs" in answer.text


def test_a_page_that_rebinds_its_name_to_loopback_is_refused(client: TestClient) -> None:
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 400
    open_app = TestClient(create_app(Embedder(Lengths), ["brain"]), base_url="http://brain:8764")
    assert open_app.get("/v1/models").status_code == 200


def test_a_missing_sentence_model_is_a_503_with_what_to_do() -> None:
    def missing() -> Any:
        raise ModelUnavailable("the package is not installed", fix="run make setup")

    answer = TestClient(create_app(Embedder(missing)), base_url="http://127.0.0.1").post(
        "/v1/embeddings", json={"input": "a"}
    )
    assert answer.status_code == 503
    assert "make setup" in answer.json()["error"]["message"]


def test_the_packaged_model_knows_what_is_near_in_meaning(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    rows = Embedder(packaged(tmp_path)).encode(["a wolf in a forest", "a wild dog among trees", "quarterly tax report"])
    assert rows.shape == (3, WIDTH)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
