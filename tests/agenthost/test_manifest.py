"""The deployment folders: what they hold, and what a host would get wrong about them."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import pytest

from dqa.agenthost.manifest import load_manifest, read_tool
from dqa.errors import ConfigError

ROOT = Path(__file__).parents[2]
TOOLS = sorted((ROOT / "tools").glob("*.py"))


def test_the_deployment_is_the_one_agreed_on() -> None:
    manifest = load_manifest()
    assert set(manifest.agents) == {
        "agent-dqa-verifier",
        "agent-dqa-tuner-sleeptime",
        "agent-dqa-director",
        "agent-dqa-writer",
        "agent-dqa-cameraman",
        "agent-dqa-calibrator",
    }
    wanted = (
        "semantic_evaluation spatial_evaluation benchmark_evaluation final_verdict verify_video read_user_selections"
    )
    wanted += " dpo_training_step update_quality_standards log_training_metrics"
    assert set(wanted.split()) <= set(manifest.tools)
    assert set(manifest.blocks) == {"ab_testing", "user_style", "quality_standards", "session_state"}
    tuner = manifest.agent("tuner")
    assert tuner.message_buffer_autoclear
    assert tuner.sleeptime is not None
    assert (tuner.sleeptime.of, tuner.sleeptime.frequency) == ("agent-dqa-director", 5)
    assert "MAX_RETRIES: 3\n" in manifest.blocks["quality_standards"].first_text


def test_the_folders_ship_in_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name in ("agents", "tools", "memory_blocks"):
        assert included[name] == f"dqa/_deployment/{name}"


@pytest.mark.parametrize("path", TOOLS, ids=lambda path: path.stem)
def test_a_tool_stands_alone(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {alias.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    imported |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names) | {"httpx"}
    assert read_tool(path.read_text(), path.stem, path.name).name == path.stem


def test_helpers_of_the_same_name_are_the_same_code() -> None:
    seen: dict[str, tuple[str, str]] = {}
    for path in TOOLS:
        for node in ast.parse(path.read_text()).body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and node.name.startswith("_")
                and node.name != "_archive"
            ):
                code, first = ast.unparse(node), path.name
                known = seen.setdefault(node.name, (code, first))
                assert known[0] == code, f"{node.name} differs between {known[1]} and {path.name}"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def other(): 'x'", "not the last function"),
        ("def t():\n    'x'\n    def inner(): pass\n", "not the last function"),
        ("class C:\n    def m(self): pass\ndef t(): 'x'", "not the last function"),
        ("from __future__ import annotations\ndef t():\n    'x'", "__future__"),
        ("def t(a: str):\n    'Does it.'", "describe a"),
        ("def t():\n    pass", "describe the tool"),
        ("def t(:", "not Python"),
    ],
)
def test_a_tool_that_a_host_would_misread_is_refused(source: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_tool(source, "t", "tools/t.py")


def _folder(tmp_path: Path, agent: str) -> Path:
    (tmp_path / "agents/a").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    (tmp_path / "memory_blocks").mkdir()
    (tmp_path / "agents/a/system.md").write_text("You are a.")
    (tmp_path / "agents/a/agent.toml").write_text(agent)
    return tmp_path


AGENT = 'name = "a"\ntype = "letta_v1_agent"\ndescription = "x"\n'


@pytest.mark.parametrize(
    ("agent", "says"),
    [
        (AGENT + 'tools = ["nothing"]', "no tool 'nothing'"),
        (AGENT + 'tools = []\nblocks = ["nothing"]', "no block 'nothing'"),
        (AGENT + 'tools = []\n[sleeptime]\nof = "nobody"', "no agent 'nobody'"),
        (AGENT + 'tools = []\n[[rules]]\ntype = "exit_loop"\ntool_name = "t"', "no attached tool in a rule 't'"),
        (AGENT + "tools = []\ncolour = 1", "colour"),
        (AGENT + "tools = [", "TOML"),
        ('name = "a"', "type"),
    ],
)
def test_a_mistake_in_the_folders_is_named_with_its_file(tmp_path: Path, agent: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        load_manifest(_folder(tmp_path, agent))
    assert "agents/a/agent.toml" in str(caught.value) or "a/agent.toml" in str(caught.value)


def test_a_new_tool_is_one_new_file(tmp_path: Path) -> None:
    folder = _folder(tmp_path, AGENT + 'tools = ["t"]')
    (folder / "tools/t.py").write_text('def t() -> str:\n    """Does it."""\n    return "{}"\n')
    assert load_manifest(folder).tools["t"].summary == "Does it."
