"""The operator's generator: which workflows there are, by the settings alone, and one of them ready to run.

No request names an address or a file: a ``workflow`` in a request is the name of a file in the operator's folder.
"""

from __future__ import annotations

from pathlib import Path

from dqa.comfy.client import Comfy
from dqa.comfy.generate import ComfyGenerator
from dqa.comfy.slots import find_slots
from dqa.comfy.workflow import load_workflow
from dqa.config import Settings
from dqa.errors import ConfigError, InputError, UnavailableError, UsageError


class NoGenerator(UnavailableError):
    """The operator has named no workflow."""

    status = 409
    type = "no-generator"
    title = "No video generator is configured"


def workflow_names(settings: Settings) -> list[str]:
    """Names that a request may use: files of ``DQA_COMFY_WORKFLOWS`` without their suffix."""
    folder = settings.comfy_workflows
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.stem for path in folder.glob("*.json") if path.is_file() and not path.is_symlink())


def workflow_file(settings: Settings, name: str | None) -> Path:
    """The file of a workflow; without a name ``DQA_COMFY_WORKFLOW``.

    Raises:
        NoGenerator: that is not set.
        UsageError: there is no workflow of that name.
    """
    if name is not None:
        names = workflow_names(settings)
        if name not in names or settings.comfy_workflows is None:
            known = f"use one of {', '.join(names)}" if names else "leave it out, or set DQA_COMFY_WORKFLOWS"
            raise UsageError("there is no workflow of that name", fix=known)
        return settings.comfy_workflows / f"{name}.json"
    if settings.comfy_workflow is None:
        raise NoGenerator(
            "no video generator is configured",
            fix="set DQA_COMFY_WORKFLOW to a workflow in API format, and DQA_COMFY_URL to its ComfyUI",
        )
    return settings.comfy_workflow


def generator(settings: Settings, comfy: Comfy, name: str | None) -> ComfyGenerator:
    """A workflow on the operator's server.

    Raises:
        UsageError, NoGenerator: as :func:`workflow_file`.
        ConfigError: the operator's workflow can't be read, or takes no prompt.
    """
    file = workflow_file(settings, name)
    try:
        workflow = load_workflow(file)
    except InputError as error:
        raise ConfigError(error.what, fix=error.fix, where=str(file)) from None
    slots = find_slots(workflow)
    if not slots.positive or not slots.outputs:
        what = "the workflow takes no prompt" if not slots.positive else "the workflow saves no picture or video"
        raise ConfigError(what, fix="see dqa comfy slots WORKFLOW", where=str(file))
    return ComfyGenerator(comfy, workflow, slots, settings.comfy_timeout_s, settings.max_media_mb * 1e6)
