"""``dqa comfy install``: the nodes in ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dqa.cli.options import AsJson
from dqa.cli.output import emit, emit_json, one_line, say, write
from dqa.errors import UsageError

_SAID = {
    "installed": "installed; restart ComfyUI",
    "upgraded": "brought up to date; restart ComfyUI",
    "unchanged": "there already",
    "linked": "linked; restart ComfyUI",
    "removed": "removed; restart ComfyUI",
    "absent": "not there; nothing to remove",
}


def command(
    path: Annotated[
        Path | None, typer.Option("--path", metavar="COMFY", help="ComfyUI's folder.", show_default=False)
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Link the nodes instead of copying them.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the nodes out again.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace or remove files that were changed there too.")
    ] = False,
    extra_model_paths: Annotated[
        bool,
        typer.Option("--extra-model-paths", help="Print an extra_model_paths.yaml that finds the nodes; copy nothing."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Put DQA's nodes into ComfyUI's custom_nodes, or bring those there up to date.

    The nodes ask the service at DQA_URL, with DQA_TOKEN, of ComfyUI's own environment. Files that somebody changed or
    added there are named and kept; a folder that this command did not make is left alone.
    """
    from dqa.comfy import install

    if extra_model_paths:
        if path is not None or link or remove or force:
            raise UsageError("--extra-model-paths prints and touches nothing", fix="give it alone")
        write(install.extra_model_paths())
        return 0
    if path is None:
        raise UsageError("install needs ComfyUI's folder", fix="say --path COMFY, or --extra-model-paths")
    if remove and link:
        raise UsageError("--remove and --link say opposite things", fix="give one of them")
    done = install.remove(path, force=force) if remove else install.install(path, link=link, force=force)
    for name in done.kept:
        say(f"{name}: changed or added here, and kept")
    if as_json:
        emit_json({"action": done.action, "path": str(done.path), "version": done.version, "kept": list(done.kept)})
    else:
        emit(one_line(f"{done.path}: {_SAID[done.action]}"))
    return 0
