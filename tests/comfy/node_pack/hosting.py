"""As little of ComfyUI as the nodes meet: how it loads a pack, and the three modules it has loaded by then."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from dqa.comfy.install import PACK


class Interrupted(Exception):
    """As ``comfy.model_management.InterruptProcessingException``."""


class Host:
    """A stand-in for ComfyUI: folders, the interrupt, and what its progress bar was told."""

    def __init__(self, folder: Path) -> None:
        self.output, self.user = folder / "output", folder / "user"
        self.interrupted = False
        self.shown: list[int] = []
        for path in (self.output, self.user):
            path.mkdir(parents=True, exist_ok=True)

    def throw(self) -> None:
        if self.interrupted:
            raise Interrupted

    def modules(self) -> dict[str, ModuleType]:
        host = self

        class ProgressBar:
            def __init__(self, total: int) -> None:
                assert total == 100

            def update_absolute(self, value: int, total: int | None = None, preview: object = None) -> None:
                host.shown.append(value)

        return {
            "comfy": ModuleType("comfy"),
            "comfy.model_management": _module(throw_exception_if_processing_interrupted=self.throw),
            "comfy.utils": _module(ProgressBar=ProgressBar),
            "folder_paths": _module(
                get_output_directory=lambda: str(self.output), get_user_directory=lambda: str(self.user)
            ),
        }


def _module(**names: object) -> ModuleType:
    made = ModuleType("stand-in")
    made.__dict__.update(names)
    return made


@contextmanager
def hosted(host: Host) -> Iterator[None]:
    """While it lasts, the modules are there."""
    made = host.modules()
    before = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def load_from(pack: Path) -> Any:
    """Loads a pack as ComfyUI does: by its path, under a name that is no package's."""
    name = str(pack).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, pack / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_pack(folder: Path) -> Any:
    """Loads a copy of the pack."""
    copy = folder / "custom_nodes" / "dqa"
    shutil.copytree(PACK, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return load_from(copy)


def run(pack: Any, node: str, **inputs: Any) -> dict[str, Any]:
    """Runs a node as ComfyUI does; returns its outputs by name, with ``ui``."""
    kind = pack.NODE_CLASS_MAPPINGS[node]
    made = getattr(kind(), kind.FUNCTION)(**inputs)
    result, ui = (made["result"], made["ui"]) if isinstance(made, dict) else (made, {})
    assert len(result) == len(kind.RETURN_TYPES) == len(kind.RETURN_NAMES)
    return {**dict(zip(kind.RETURN_NAMES, result, strict=True)), "ui": ui}
