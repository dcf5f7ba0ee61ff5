"""The Letta server (0.16.8) behind the port, by its own client; groups have no client, so they go as plain HTTP.

The client's default is to retry a timed-out request twice, a posted message included, which runs the turn again:
here nothing is retried (docs/design/letta.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import httpx

from dqa.agenthost.port import AgentSpec, HostAgent, HostBlock, HostError, HostGroup, HostTool, Message, Turn
from dqa.errors import UnavailableError

if TYPE_CHECKING:
    from letta_client import Letta

_T = TypeVar("_T")
_PATIENCE_S = 60.0
_KINDS: dict[str, Literal["assistant", "tool_call", "tool_return"]] = {
    "assistant_message": "assistant",
    "tool_call_message": "tool_call",
    "tool_return_message": "tool_return",
}


class LettaHost:
    """A Letta server.

    Args:
        url: its base URL.
        key: its password, or an API key.
        client: an HTTP client for tests; default one of our own.

    Raises:
        UnavailableError: the package letta-client is not installed.
    """

    def __init__(self, url: str, key: str | None = None, client: httpx.Client | None = None) -> None:
        try:
            from letta_client import Letta
        except ModuleNotFoundError:
            raise UnavailableError(
                "the Python package letta-client is not installed", fix="run make setup, or pip install 'dqa[letta]'"
            ) from None
        self.url = url.rstrip("/")
        # An empty key sends "Bearer ", which a server without a password ignores.
        self._client: Letta = Letta(
            base_url=self.url, api_key=key or "none", max_retries=0, timeout=_PATIENCE_S, http_client=client
        )

    def check(self) -> None:
        """Asks the server for its health, and whether it takes our key."""
        self._call(self._client.health)
        self._call(lambda: self._client.tools.list(limit=1).items)

    def tools(self, names: Sequence[str]) -> list[HostTool]:
        """The tools with these function names."""
        found = self._call(lambda: list(self._client.tools.list(names=list(names), limit=len(names) + 1)))
        return [_tool(tool) for tool in _unique(found) if tool.name in names]

    def put_tool(self, source: str, tags: Sequence[str]) -> HostTool:
        """Makes or updates the tool, by its function's name."""
        return _tool(self._call(lambda: self._client.tools.upsert(source_code=source, tags=list(tags))))

    def blocks(self, label: str) -> list[HostBlock]:
        """The blocks with this label, oldest first."""
        found = self._call(lambda: list(self._client.blocks.list(label=label, limit=100, order="asc")))
        return [_block(block) for block in _unique(found)]

    def create_block(self, label: str, value: str, description: str, limit: int, tags: Sequence[str]) -> HostBlock:
        """Makes a block."""
        return _block(
            self._call(
                lambda: self._client.blocks.create(
                    label=label, value=value, description=description, limit=limit, tags=list(tags)
                )
            )
        )

    def describe_block(self, block_id: str, description: str, limit: int) -> None:
        """Sets what a block is for and how long it may be; its contents stay."""
        self._call(lambda: self._client.blocks.update(block_id, description=description, limit=limit))

    def write_block(self, block_id: str, value: str) -> None:
        """Replaces a block's contents."""
        self._call(lambda: self._client.blocks.update(block_id, value=value))

    def agents(self, name: str) -> list[HostAgent]:
        """The agents with this name; names are not unique."""
        found = self._call(lambda: list(self._client.agents.list(name=name, limit=100)))
        return [self.agent(agent.id) for agent in _unique(found) if agent.name == name]

    def agent(self, agent_id: str) -> HostAgent:
        """One agent, with what is attached to it."""
        relations = ["agent.tools", "agent.blocks", "agent.tags", "agent.secrets", "agent.managed_group"]
        path = f"/v1/agents/{agent_id}"
        return _agent(self._json("GET", path, params={"include": relations}))

    def create_agent(
        self,
        spec: AgentSpec,
        *,
        tool_ids: Sequence[str],
        block_ids: Sequence[str],
        tags: Sequence[str],
        metadata: Mapping[str, Any],
    ) -> HostAgent:
        """Makes an agent with exactly these tools and blocks, and none of the server's own."""
        body = {
            "name": spec.name,
            "agent_type": spec.kind,
            "description": spec.description,
            "system": spec.system,
            "model": spec.model,
            "embedding": spec.embedding,
            "tool_ids": list(tool_ids),
            "block_ids": list(block_ids),
            "tool_rules": [dict(rule) for rule in spec.rules],
            "tags": list(tags),
            "metadata": dict(metadata),
            "secrets": dict(spec.environment),
            "message_buffer_autoclear": spec.autoclear,
            "include_base_tools": False,
            "include_base_tool_rules": False,
            "initial_message_sequence": [],
        }
        return self.agent(str(self._json("POST", "/v1/agents/", json=body)["id"]))

    def update_agent(self, agent_id: str, **changes: Any) -> None:
        """Changes the named fields, as the server names them."""
        self._json("PATCH", f"/v1/agents/{agent_id}", json=changes)

    def attach_tool(self, agent_id: str, tool_id: str) -> None:
        """Gives an agent a tool."""
        self._call(lambda: self._client.agents.tools.attach(tool_id, agent_id=agent_id))

    def detach_tool(self, agent_id: str, tool_id: str) -> None:
        """Takes a tool from an agent."""
        self._call(lambda: self._client.agents.tools.detach(tool_id, agent_id=agent_id))

    def attach_block(self, agent_id: str, block_id: str) -> None:
        """Shows an agent a block."""
        self._call(lambda: self._client.agents.blocks.attach(block_id, agent_id=agent_id))

    def detach_block(self, agent_id: str, block_id: str) -> None:
        """Takes a block from an agent; the block stays."""
        self._call(lambda: self._client.agents.blocks.detach(block_id, agent_id=agent_id))

    def delete_agent(self, agent_id: str) -> None:
        """Deletes an agent. The server deletes the sleeptime agents of a group's manager with it."""
        self._call(lambda: self._client.agents.delete(agent_id))

    def groups(self, manager_id: str) -> list[HostGroup]:
        """The sleeptime groups that an agent's turns wake."""
        found = self._json("GET", "/v1/groups/", params={"manager_type": "sleeptime", "limit": 1000})
        return [_group(group) for group in cast(list[Any], found) if group.get("manager_agent_id") == manager_id]

    def create_group(self, manager_id: str, agent_id: str, frequency: int) -> HostGroup:
        """Lets ``manager_id``'s turns wake ``agent_id``, every ``frequency``-th."""
        body = {
            "agent_ids": [agent_id],
            "description": "DQA's Tuner",
            "manager_config": _sleeptime(manager_id, frequency),
        }
        return _group(self._json("POST", "/v1/groups/", json=body))

    def set_frequency(self, group: HostGroup, frequency: int) -> None:
        """Changes after how many turns a group wakes."""
        body = {"manager_config": _sleeptime(group.manager_id, frequency)}
        self._json("PATCH", f"/v1/groups/{group.id}", json=body)

    def delete_group(self, group_id: str) -> None:
        """Ends a group; its agents stay."""
        self._json("DELETE", f"/v1/groups/{group_id}")

    def send(self, agent_id: str, text: str, timeout_s: float) -> Turn:
        """One turn, to its end. Posted once, whatever happens."""
        body = {"messages": [{"role": "user", "content": text}]}
        answer = self._json("POST", f"/v1/agents/{agent_id}/messages", json=body, timeout_s=timeout_s)
        return _turn(cast(dict[str, Any], answer))

    def export(self, agent_id: str) -> str:
        """The agent as an .af file, without its conversations; the server blanks its secrets."""
        options = {"scrub_messages": True}
        return str(self._request("GET", f"/v1/agents/{agent_id}/export", params=options).text)

    def _json(self, method: str, path: str, timeout_s: float = _PATIENCE_S, **options: Any) -> Any:
        return self._request(method, path, timeout_s, **options).json()

    def _request(self, method: str, path: str, timeout_s: float = _PATIENCE_S, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._client.api_key}"}
        http: httpx.Client = self._client._client  # pyright: ignore[reportPrivateUsage] - one connection pool for both
        try:
            answer = http.request(
                method, f"{self.url}{path}", headers=headers, timeout=httpx.Timeout(timeout_s, connect=10.0), **options
            )
        except httpx.TimeoutException:
            raise HostError("the Letta server took too long", fix="look at its log, then try again") from None
        except httpx.HTTPError as error:
            raise self._unreachable(type(error).__name__) from None
        if answer.status_code >= 400:
            raise _refusal(answer.status_code, answer.text, path)
        return answer

    def _call(self, ask: Callable[[], _T]) -> _T:
        import letta_client

        try:
            return ask()
        except letta_client.APITimeoutError:
            raise HostError("the Letta server took too long", fix="look at its log, then try again") from None
        except letta_client.APIConnectionError as error:
            raise self._unreachable(type(error.__cause__ or error).__name__) from None
        except letta_client.APIStatusError as error:
            raise _refusal(error.status_code, error.response.text, error.request.url.path) from None

    def _unreachable(self, why: str) -> HostError:
        return HostError(
            f"no Letta server answers at {self.url} ({why})", fix="start it with dqa up, or give --letta-url"
        )


def _refusal(status: int, text: str, path: str) -> HostError:
    if status in (401, 403):
        return HostError("the Letta server refuses the password", fix="give its password or API key (DQA_LETTA_KEY)")
    said = " ".join(text.split())[:300]
    return HostError(f"the Letta server answered {status} to {path}: {said}", fix="see its log")


def _unique(found: Iterable[Any]) -> list[Any]:
    """Each thing once: the client goes on to further pages, and the server may give a row again there."""
    return list({item.id: item for item in found}.values())


def _sleeptime(manager_id: str, frequency: int) -> dict[str, Any]:
    return {"manager_type": "sleeptime", "manager_agent_id": manager_id, "sleeptime_agent_frequency": frequency}


def _tool(tool: Any) -> HostTool:
    return HostTool(id=tool.id, name=tool.name or "", source=tool.source_code or "", tags=tuple(tool.tags or ()))


def _block(block: Any) -> HostBlock:
    return HostBlock(
        id=block.id,
        label=block.label or "",
        value=block.value,
        description=block.description or "",
        limit=block.limit or 0,
        tags=tuple(block.tags or ()),
    )


def _agent(data: Mapping[str, Any]) -> HostAgent:
    secrets = data.get("secrets") or data.get("tool_exec_environment_variables") or []
    return HostAgent(
        id=data["id"],
        name=data["name"],
        kind=data["agent_type"],
        description=data.get("description") or "",
        system=data.get("system") or "",
        model=data.get("model") or (data.get("llm_config") or {}).get("handle") or "",
        embedding=data.get("embedding") or (data.get("embedding_config") or {}).get("handle") or "",
        tool_names={tool["name"]: tool["id"] for tool in data.get("tools") or []},
        block_ids={block["label"]: block["id"] for block in data.get("blocks") or []},
        rules=tuple(_rule(rule) for rule in data.get("tool_rules") or []),
        autoclear=bool(data.get("message_buffer_autoclear")),
        tags=tuple(data.get("tags") or ()),
        metadata=data.get("metadata") or {},
        environment={item["key"]: item.get("value") or "" for item in secrets},
        sleeptime=bool(data.get("enable_sleeptime")),
    )


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the server fills in by itself, so that it compares with what was sent."""
    extras = {"prompt_template", "child_arg_nodes", "args", "require_output_mapping"}
    return {key: value for key, value in rule.items() if key not in extras and value is not None}


def _group(data: Mapping[str, Any]) -> HostGroup:
    return HostGroup(
        id=data["id"],
        manager_id=data.get("manager_agent_id") or "",
        agent_ids=tuple(data.get("agent_ids") or ()),
        frequency=data.get("sleeptime_agent_frequency"),
        turns=data.get("turns_counter"),
    )


def _turn(data: Mapping[str, Any]) -> Turn:
    usage = data.get("usage") or {}
    return Turn(
        messages=tuple(_message(message) for message in data.get("messages") or []),
        stop_reason=str((data.get("stop_reason") or {}).get("stop_reason") or ""),
        run_ids=tuple(usage.get("run_ids") or ()),
    )


def _message(data: Mapping[str, Any]) -> Message:
    kind = _KINDS.get(str(data.get("message_type")))
    if kind == "tool_return":
        status: Literal["success", "error"] = "success" if data.get("status") == "success" else "error"
        return Message(kind, str(data.get("tool_return") or ""), tool=str(data.get("name") or ""), status=status)
    if kind == "tool_call":
        call = data.get("tool_call") or {}
        return Message(kind, str(call.get("arguments") or ""), tool=str(call.get("name") or ""))
    return Message(kind or "other", _text(data.get("content")))


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in cast(list[dict[str, Any]], content))
    return str(content or "")
