"""The pack loads wherever ComfyUI does, needs nothing but it, and says what it is in forms that every release knows."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import dqa
from dqa.comfy.install import PACK

ROOT = Path(__file__).parents[3]
SOURCES = sorted(PACK.glob("*.py"))
HAS = {"PIL", "av", "numpy"}
"""What the nodes may import of ComfyUI's own requirements, and only inside functions."""
TYPES = {"STRING", "INT", "FLOAT", "BOOLEAN", "IMAGE", "VIDEO"}
OPTIONS = {"default", "min", "max", "step", "multiline", "tooltip", "forceInput"}

LOADS = """
import importlib.util, json, sys
sys.path[:] = [p for p in sys.path if "site-packages" not in p]
spec = importlib.util.spec_from_file_location("custom_nodes_x_dqa", sys.argv[1] + "/__init__.py")
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
heavy = {"torch", "numpy", "PIL", "av", "requests", "aiohttp", "dqa", "comfy"} & set(sys.modules)
print(json.dumps([sorted(module.NODE_CLASS_MAPPINGS), sorted(heavy)]))
"""


def test_it_loads_with_nothing_but_python(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-I", "-c", LOADS, str(PACK)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names, heavy = json.loads(done.stdout)
    assert names == ["DQAChoose", "DQACompare", "DQADescribeReference", "DQAEvaluateVideo", "DQAPrompt"]
    assert heavy == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_it_imports_nothing_of_ours_and_runs_on_comfyuis_oldest_python(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 9))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found = {(node.module or "").partition(".")[0]}
        else:
            continue
        assert found <= sys.stdlib_module_names | HAS
        if found & HAS:
            assert node not in tree.body, "only where it is used: loading must not depend on it"
    assert not re.search(r"\bsubprocess\b|\bcomfy_api\b", source.read_text(encoding="utf-8"))


def test_the_version_and_licence_are_those_of_dqa() -> None:
    project = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == dqa.__version__
    assert "comfyui" not in project["project"]["name"].lower()
    assert project["project"]["dependencies"] == []
    assert project["tool"]["comfy"]["DisplayName"]
    assert project["tool"]["comfy"]["requires-comfyui"] == ">=0.3.64"
    assert (PACK / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_registry_gets_no_publisher_that_nobody_registered() -> None:
    # Who publishes says who they are: see "Publish" in docs/how-to/comfyui-nodes.md.
    project = tomllib.loads((PACK / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["comfy"]["PublisherId"] == ""
    assert "urls" not in project["project"]


def test_inputs_are_of_old_forms_and_python_has_the_same_defaults(pack: Any) -> None:
    for name, kind in pack.NODE_CLASS_MAPPINGS.items():
        signature = inspect.signature(getattr(kind, kind.FUNCTION))
        given = kind.INPUT_TYPES()
        assert set(given) <= {"required", "optional"}
        inputs = {**given["required"], **given.get("optional", {})}
        assert list(signature.parameters)[1:] == list(inputs), name
        for which, (form, options) in inputs.items():
            assert isinstance(form, list) or form in TYPES
            assert set(options) <= OPTIONS
            default = signature.parameters[which].default
            assert default == options.get("default"), (name, which)
            if isinstance(form, list):
                assert default in form
        assert len(kind.RETURN_TYPES) == len(kind.RETURN_NAMES)
        assert set(kind.RETURN_TYPES) <= TYPES
        assert kind.CATEGORY == "DQA"
        assert name in pack.NODE_DISPLAY_NAME_MAPPINGS


def test_what_has_a_result_shows_it_to_clients_of_the_api(pack: Any) -> None:
    shown = {name for name, kind in pack.NODE_CLASS_MAPPINGS.items() if getattr(kind, "OUTPUT_NODE", False)}
    assert shown == set(pack.NODE_CLASS_MAPPINGS) - {"DQAPrompt"}


def test_no_input_takes_a_token_or_an_address(pack: Any) -> None:
    for kind in pack.NODE_CLASS_MAPPINGS.values():
        inputs = [name for part in kind.INPUT_TYPES().values() for name in part]
        assert not [name for name in inputs if re.search("token|key|secret|url|endpoint|host", name)]


def test_a_workflow_of_the_nodes_fits_them(pack: Any) -> None:
    """Its links name outputs that are there, its inputs are known."""
    graph = json.loads((ROOT / "tests/data/workflows/dqa_nodes_loop_api.json").read_text(encoding="utf-8"))
    kinds = pack.NODE_CLASS_MAPPINGS
    seen = 0
    for node in graph.values():
        own = kinds.get(node["class_type"])
        if own is not None:
            seen += 1
            assert set(node["inputs"]) <= {name for part in own.INPUT_TYPES().values() for name in part}
        for value in node["inputs"].values():
            if isinstance(value, list) and graph[value[0]]["class_type"] in kinds:
                assert value[1] < len(kinds[graph[value[0]]["class_type"]].RETURN_TYPES)
    assert seen == 4


def test_the_grade_is_the_second_output(pack: Any) -> None:
    assert pack.NODE_CLASS_MAPPINGS["DQAEvaluateVideo"].RETURN_NAMES[:4] == ("score", "grade", "accept", "report_json")
