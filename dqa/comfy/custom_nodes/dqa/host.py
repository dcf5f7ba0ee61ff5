"""What ComfyUI offers a node while it runs: interruption, progress, folders. Outside of ComfyUI all are optional."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .errors import DQAProblem


def raise_if_interrupted() -> None:
    """Raises ComfyUI's own exception when the user asked to stop."""
    management = _module("comfy.model_management")
    if management is not None:
        management.throw_exception_if_processing_interrupted()


class Progress:
    """The bar on the node that runs; silent where there is none."""

    def __init__(self) -> None:
        utils = _module("comfy.utils")
        self._bar: Any = None if utils is None else utils.ProgressBar(100)
        self._shown = -1

    def show(self, share: float) -> None:
        """Moves the bar to a share in [0, 1]; never backwards."""
        percent = round(100 * min(1.0, max(0.0, share)))
        if self._bar is not None and percent > self._shown:
            self._bar.update_absolute(percent, 100)
        self._shown = max(percent, self._shown)


def output_folder() -> Path:
    """Where ComfyUI saves what it makes, as a real path."""
    folders = _module("folder_paths")
    if folders is None:
        raise DQAProblem("ComfyUI's output folder is not known here; run this node in ComfyUI.")
    return Path(folders.get_output_directory()).resolve()


def user_folder() -> Path | None:
    """Where ComfyUI keeps its users' settings, if it has such a folder."""
    getter = getattr(_module("folder_paths"), "get_user_directory", None)
    return None if getter is None else Path(getter())


def under_output(name: str) -> Path:
    """The real path of a file under the output folder, named by its path there or an absolute one.

    Raises:
        DQAProblem: it lies elsewhere, or is no file.
    """
    folder = output_folder()
    try:
        path = (folder / name.strip()).resolve()
        there = path.is_file()
    except (OSError, ValueError):  # no name that a file could have
        path, there = folder, False
    if not path.is_relative_to(folder):
        raise DQAProblem("the file lies outside ComfyUI's output folder; give one that ComfyUI saved.")
    if not there:
        raise DQAProblem("there is no such file in ComfyUI's output folder; check its name and subfolder.")
    return path


def _module(name: str) -> Any:
    # Only what ComfyUI has loaded itself: a package of the same name elsewhere must not be run by looking for it.
    return sys.modules.get(name)
