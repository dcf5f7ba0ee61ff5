"""The deployment as data: reads ``agents/``, ``tools/`` and ``memory_blocks/``.

``agents/<name>/`` holds ``system.md`` and ``agent.toml``; ``tools/<function>.py`` one self-contained tool;
``memory_blocks/<label>.toml`` one block. A new file or folder is all it takes to add one.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from dqa.agenthost import blocks
from dqa.errors import ConfigError
from dqa.resources import deployment_folder

_Kind = TypeVar("_Kind", bound=BaseModel)

DEFAULT_MODEL = "default"
"""In agent.toml: the model, or embedding, that the settings name."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleData(_Data):
    """A tool rule. The fields a type does not use stay out of what the host is sent."""

    type: Literal[
        "run_first",
        "constrain_child_tools",
        "parent_last_tool",
        "conditional",
        "exit_loop",
        "continue_loop",
        "required_before_exit",
        "max_count_per_step",
    ]
    tool_name: str
    children: tuple[str, ...] | None = None
    child_output_mapping: dict[str, str] | None = None
    default_child: str | None = None
    max_count_limit: int | None = None

    def names(self) -> set[str]:
        """Every tool the rule speaks of."""
        more = {self.default_child} if self.default_child else set[str]()
        return {self.tool_name, *(self.children or ()), *(self.child_output_mapping or {}).values(), *more}

    def to_host(self) -> dict[str, Any]:
        """As the host takes it."""
        return self.model_dump(mode="json", exclude_none=True)


class SleeptimeData(_Data):
    """Whom this agent watches, and after how many of its turns it wakes."""

    of: str
    frequency: int = Field(5, ge=1)


class AgentData(_Data):
    """One agent. ``folder`` names it in messages; ``name`` is what the host shows."""

    folder: str
    name: str
    type: Literal["letta_v1_agent", "sleeptime_agent"]
    description: str
    system: str
    model: str = DEFAULT_MODEL
    embedding: str = DEFAULT_MODEL
    tools: tuple[str, ...]
    blocks: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    message_buffer_autoclear: bool = False
    rules: tuple[RuleData, ...] = ()
    sleeptime: SleeptimeData | None = None


class KeyData(_Data):
    """A key of a block: what it means, and its first value."""

    about: str
    first: JsonValue = ""


class BlockData(_Data):
    """One memory block."""

    label: str
    description: str
    limit: int = Field(ge=1)
    form: blocks.Form = "lines"
    keys: dict[str, KeyData]

    @property
    def first_text(self) -> str:
        """The text of a new block."""
        return blocks.first_text(self.form, {key: data.first for key, data in self.keys.items()})


class ToolData(_Data):
    """One tool: its function's name, its whole source, and what it is for."""

    name: str
    source: str
    summary: str


@dataclass(frozen=True)
class Manifest:
    """The whole deployment; names in it refer to one another and are checked."""

    agents: dict[str, AgentData]
    tools: dict[str, ToolData]
    blocks: dict[str, BlockData]

    def agent(self, name: str) -> AgentData:
        """By host name or by folder.

        Raises:
            ConfigError: there is no such agent.
        """
        for agent in self.agents.values():
            if name in (agent.name, agent.folder):
                return agent
        raise ConfigError(f"there is no agent {name!r} in agents/", fix=f"use one of {', '.join(sorted(self.agents))}")


def load_manifest(root: Path | None = None) -> Manifest:
    """Reads the deployment folders, under ``root`` or where they are installed.

    Raises:
        ConfigError: a file is malformed, or names a tool, block or agent that does not exist.
    """

    def at(name: str) -> Path:
        return root / name if root is not None else deployment_folder(name)

    manifest = Manifest(
        agents={data.name: data for data in _agents(at("agents"))},
        tools={data.name: data for data in _tools(at("tools"))},
        blocks={data.label: data for data in _blocks(at("memory_blocks"))},
    )
    for agent in manifest.agents.values():
        _check(agent, manifest)
    return manifest


def _check(agent: AgentData, manifest: Manifest) -> None:
    where = f"agents/{agent.folder}/agent.toml"
    ruled = {name for rule in agent.rules for name in rule.names()}
    for kind, names, known in (
        ("tool", agent.tools, manifest.tools),
        ("block", agent.blocks, manifest.blocks),
        ("attached tool in a rule", ruled, agent.tools),
        ("agent", [agent.sleeptime.of] if agent.sleeptime else [], manifest.agents),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(f"there is no {kind} {name!r}", fix="correct the name, or add its file", where=where)


def _agents(folder: Path) -> Iterator[AgentData]:
    for path in sorted(folder.glob("*/agent.toml")):
        system = path.with_name("system.md")
        if not system.is_file():
            raise ConfigError("the agent has no system.md", fix="add it beside agent.toml", where=_short(path))
        text = system.read_text(encoding="utf-8").strip()
        yield _model(AgentData, {**_toml(path), "folder": path.parent.name, "system": text}, path)


def _blocks(folder: Path) -> Iterator[BlockData]:
    for path in sorted(folder.glob("*.toml")):
        data = _model(BlockData, _toml(path), path)
        if data.label != path.stem:
            raise ConfigError(f"the label is {data.label!r}", fix="name the file as the label", where=_short(path))
        yield data


def _tools(folder: Path) -> Iterator[ToolData]:
    for path in sorted(folder.glob("*.py")):
        yield read_tool(path.read_text(encoding="utf-8"), path.stem, _short(path))


def read_tool(source: str, name: str, where: str) -> ToolData:
    """Checks what a host would otherwise get wrong, or refuse with a poorer message.

    The host takes the *last* function of the file, nested ones included, and pastes the file into the middle of a
    script of its own, where ``from __future__`` is a syntax error.

    Raises:
        ConfigError: the file can't serve as a tool.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ConfigError(f"not Python ({error.msg}, line {error.lineno})", fix="correct it", where=where) from None
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if not functions or functions[-1].name != name or functions[-1] not in tree.body:
        raise ConfigError(
            "the tool is not the last function of the file",
            fix=f"put `def {name}` at the end, with no nested functions or classes with methods",
            where=where,
        )
    if any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body):
        raise ConfigError("a tool can't import from __future__", fix="remove the import", where=where)
    text = ast.get_docstring(functions[-1]) or ""
    described = re.findall(r"^\s*(\w+)(?: \([^)]*\))?:", text.partition("Args:")[2], re.MULTILINE)
    missing = [arg.arg for arg in functions[-1].args.args if arg.arg not in described]
    if not text or missing:
        raise ConfigError(
            f"the docstring does not describe {', '.join(missing) or 'the tool'}",
            fix="write it in Google style, with an entry under Args: for each argument",
            where=where,
        )
    return ToolData(name=name, source=source, summary=text.splitlines()[0])


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not readable as TOML ({error})", fix="correct the file", where=_short(path)) from None


def _model(kind: type[_Kind], values: dict[str, Any], path: Path) -> _Kind:
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{name}: {first['msg']}", fix="correct the file", where=_short(path)) from None


def _short(path: Path) -> str:
    return "/".join(path.parts[-3:] if path.name == "agent.toml" else path.parts[-2:])
