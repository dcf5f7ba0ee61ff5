"""The schemas of our tools as a host offers them, made from their files."""

from __future__ import annotations

import ast
import functools
import re
from typing import Any

from dqa.agenthost.manifest import Manifest, load_manifest

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def schemas(names: list[str]) -> list[dict[str, Any]]:
    """Name, description, parameters: what Letta derives from the docstring and the signature."""
    tools = _manifest().tools
    return [{"type": "function", "function": _schema(name, tools[name].source)} for name in dict.fromkeys(names)]


@functools.cache
def _manifest() -> Manifest:
    return load_manifest()


@functools.cache
def _schema(name: str, source: str) -> dict[str, Any]:
    function = next(n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == name)
    text = ast.get_docstring(function) or ""
    arguments = function.args.args
    optional = len(arguments) - len(function.args.defaults)
    described = dict(re.findall(r"^\s*(\w+)(?: \([^)]*\))?: (.*)", text.partition("Args:")[2], re.MULTILINE))
    properties = {
        a.arg: {"type": _TYPES[ast.unparse(a.annotation or ast.Name("str"))], "description": described[a.arg]}
        for a in arguments
    }
    required = [argument.arg for argument in arguments[:optional]]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": text.partition("Args:")[0].strip(), "parameters": parameters}
