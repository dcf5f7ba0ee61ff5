"""A workflow as a generator: a prompt and a seed in, a picture or video out."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqa.comfy.client import Comfy, Finished, Made
from dqa.comfy.patch import Change, patched
from dqa.comfy.progress import Progress
from dqa.comfy.slots import Slots
from dqa.comfy.workflow import Workflow
from dqa.errors import UnavailableError

_NOT_SEEN = (".flac", ".wav", ".mp3", ".opus", ".txt", ".json", ".latent", ".safetensors")


@dataclass(frozen=True, slots=True)
class ComfyGenerator:
    """One workflow on one server.

    Attributes:
        comfy: the server.
        workflow, slots: the workflow, and where it takes prompt and seed.
        timeout_s: longest a run may take.
        most_bytes: largest file that is fetched.
    """

    comfy: Comfy
    workflow: Workflow
    slots: Slots
    timeout_s: float = 3600.0
    most_bytes: float = 2e9

    @property
    def seed(self) -> int | None:
        """The seed that the workflow itself has; None without a slot for it."""
        for slot in self.slots.seed[:1]:
            node, _, name = slot.partition(".")
            value = self.workflow.nodes[node].widgets.get(name)
            return value if isinstance(value, int) and not isinstance(value, bool) else None
        return None

    def make(
        self,
        prompt: str,
        negative: str | None,
        seed: int | None,
        target: Path,
        name: str | None = None,
        *,
        progress: Progress | None = None,
        taken_up: bool = False,
    ) -> Path:
        """Generates, and puts the first picture or video at ``target`` with the suffix it has.

        Args:
            prompt: what to show, instead of what the workflow says.
            negative, seed: None leaves the workflow's.
            target: where the result goes, without suffix; it is there whole, or not at all.
            name: the run's id on the server; default a new one.
            progress: told what the server does; what it raises ends the wait, and leaves the run on the server.
            taken_up: that run was submitted before.

        Raises:
            UnavailableError: the run made no picture; also as :meth:`Comfy.run` and :meth:`Comfy.download` raise.
        """
        graph: Mapping[str, Any] = patched(self.workflow, self.slots, Change(prompt, negative, seed))
        done = self.comfy.run(
            graph, self.slots.outputs, prompt_id=name, timeout_s=self.timeout_s, progress=progress, taken_up=taken_up
        )
        made = self._first(done)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            file = self.comfy.download(made, Path(folder), self.most_bytes)
            return file.rename(target.with_name(target.name + file.suffix.lower()))

    def _first(self, done: Finished) -> Made:
        """From the saving nodes in their order, else whatever there is."""
        seen = [made for made in done.files if not made.filename.lower().endswith(_NOT_SEEN)]
        saved = [made for made in seen if made.node in self.slots.outputs and made.kind == "output"]
        for made in (*saved, *seen):
            return made
        raise UnavailableError(
            "the workflow made no picture and no video", fix="give it a Save Image or Save Video node"
        )
