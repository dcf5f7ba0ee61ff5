"""The Letta adapter against a scripted server: what is sent, once, and how its answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dqa.agenthost.letta import LettaHost
from dqa.agenthost.port import AgentSpec, HostError

AGENT: dict[str, Any] = {
    "id": "agent-1",
    "name": "a",
    "agent_type": "letta_v1_agent",
    "system": "You are a.",
    "llm_config": {"handle": "p/m"},
    "embedding_config": {"handle": "p/e"},
    "tools": [{"name": "t", "id": "tool-1"}],
    "blocks": [{"label": "b", "id": "block-1"}],
    "tool_rules": [{"type": "exit_loop", "tool_name": "t", "prompt_template": "x", "children": None}],
    "tags": ["dqa"],
    "metadata": None,
    "secrets": [{"key": "K", "value": "v"}],
    "enable_sleeptime": True,
}
TURN = {
    "messages": [
        {"message_type": "tool_call_message", "tool_call": {"name": "t", "arguments": "{}"}},
        {"message_type": "tool_return_message", "name": "t", "tool_return": "{}", "status": "success"},
        {"message_type": "tool_return_message", "name": "u", "tool_return": "x", "status": "error"},
        {"message_type": "assistant_message", "content": [{"type": "text", "text": "done"}]},
        {"message_type": "reasoning_message", "reasoning": "hm"},
    ],
    "stop_reason": {"stop_reason": "end_turn"},
    "usage": {"run_ids": ["run-1"]},
}


class Server:
    """Answers by ``answer`` and remembers what came."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda request: httpx.Response(200, json={})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return self.answer(request)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def host(server: Server) -> LettaHost:
    return LettaHost("http://letta.test/", "k3y", httpx.Client(transport=httpx.MockTransport(server)))


def raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def test_a_message_is_posted_once_whatever_happens(server: Server, host: LettaHost) -> None:
    for trouble in (raising(httpx.ReadTimeout("slow")), lambda r: httpx.Response(503), raising(httpx.ReadError("cut"))):
        server.seen.clear()
        server.answer = trouble
        with pytest.raises(HostError):
            host.send("agent-1", "hi", 1.0)
        assert len(server.seen) == 1


def test_no_request_is_repeated(server: Server, host: LettaHost) -> None:
    server.answer = lambda request: httpx.Response(500, json={"detail": "boom"})
    for ask in (lambda: host.tools(["t"]), lambda: host.blocks("b"), lambda: host.put_tool("def t(): 'x'", [])):
        server.seen.clear()
        with pytest.raises(HostError, match="answered 500"):
            ask()
        assert len(server.seen) == 1


def test_a_turn_is_read(server: Server, host: LettaHost) -> None:
    server.answer = lambda request: httpx.Response(200, json=TURN)
    turn = host.send("agent-1", "hi", 5.0)
    assert json.loads(server.seen[0].content) == {"messages": [{"role": "user", "content": "hi"}]}
    assert server.seen[0].headers["Authorization"] == "Bearer k3y"
    assert (turn.reply, turn.stop_reason, turn.run_ids) == ("done", "end_turn", ("run-1",))
    assert [m.status for m in turn.returns("t")] == ["success"]
    assert [m.status for m in turn.returns("u")] == ["error"]


def test_an_agent_is_read_with_what_is_attached(server: Server, host: LettaHost) -> None:
    server.answer = lambda request: httpx.Response(200, json=AGENT)
    agent = host.agent("agent-1")
    assert "include=agent.tools" in str(server.seen[0].url), "without it the server says there are none"
    assert (agent.model, agent.embedding, agent.tool_names, agent.block_ids) == (
        "p/m",
        "p/e",
        {"t": "tool-1"},
        {"b": "block-1"},
    )
    assert agent.rules == ({"type": "exit_loop", "tool_name": "t"},)
    assert (agent.environment, agent.metadata, agent.sleeptime) == ({"K": "v"}, {}, True)


def test_an_agent_gets_nothing_of_the_server_s_own(server: Server, host: LettaHost) -> None:
    server.answer = lambda request: httpx.Response(200, json=AGENT)
    spec = AgentSpec(
        "a", "sleeptime_agent", "d", "s", "p/m", "p/e", ("t",), (), ({"type": "run_first", "tool_name": "t"},), True
    )
    host.create_agent(spec, tool_ids=["tool-1"], block_ids=[], tags=["dqa"], metadata={})
    sent = json.loads(server.seen[0].content)
    assert (sent["include_base_tools"], sent["include_base_tool_rules"], sent["message_buffer_autoclear"]) == (
        False,
        False,
        True,
    )
    assert sent["tool_rules"] == [{"type": "run_first", "tool_name": "t"}]


def test_a_row_that_comes_again_on_a_further_page_counts_once(server: Server, host: LettaHost) -> None:
    rows = [{"id": "block-1", "label": "b", "value": "x", "limit": 5, "tags": ["dqa"]}] * 2
    pages = [rows, rows, []]
    server.answer = lambda request: httpx.Response(200, json=pages.pop(0) if pages else [])
    assert [block.id for block in host.blocks("b")] == ["block-1"]


def test_groups_go_as_plain_http(server: Server, host: LettaHost) -> None:
    group = {
        "id": "g",
        "manager_agent_id": "m",
        "agent_ids": ["s"],
        "sleeptime_agent_frequency": 5,
        "turns_counter": -1,
    }
    server.answer = lambda request: httpx.Response(200, json=group)
    made = host.create_group("m", "s", 5)
    config = json.loads(server.seen[0].content)["manager_config"]
    assert config == {"manager_type": "sleeptime", "manager_agent_id": "m", "sleeptime_agent_frequency": 5}
    server.answer = lambda request: httpx.Response(200, json=[group, {**group, "manager_agent_id": "other"}])
    assert host.groups("m") == [made]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda r: httpx.Response(401), "refuses the password"),
        (raising(httpx.ConnectError("refused")), "no Letta server answers at http://letta.test"),
        (raising(httpx.ReadTimeout("slow")), "took too long"),
        (lambda r: httpx.Response(404, text="no agent"), "answered 404 to /v1/"),
    ],
)
def test_trouble_is_a_sentence_and_holds_no_secret(server: Server, host: LettaHost, answer: Any, says: str) -> None:
    server.answer = answer
    for ask in (lambda: host.agent("agent-1"), lambda: host.blocks("b")):
        with pytest.raises(HostError, match=says) as caught:
            ask()
        assert "k3y" not in str(caught.value)
        assert caught.value.fix
