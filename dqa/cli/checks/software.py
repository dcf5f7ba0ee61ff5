"""Python, the packages the profile needs, and their weights."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Iterator

from dqa.cli.checks.finding import Finding
from dqa.config import Settings
from dqa.models.holdings import Holding, inspect, locate
from dqa.models.profiles import Profile

TORCH = "2.13.0"
"""The pin of pyproject.toml: an open range pulls a CUDA build of several GB onto a CPU machine."""

_NEEDED = {"numpy": "numpy", "opencv": "cv2", "pyav": "av", "pillow": "PIL", "safetensors": "safetensors"}
_SETUP = "run make setup, or pip install 'dqa[embedded]'"


def software(profile: Profile) -> Iterator[Finding]:
    """Python and the packages."""
    yield Finding("python", "ok", platform.python_version())
    yield _torch(profile)
    yield _torchvision(profile)
    missing = [name for name, module in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        yield Finding("packages", "fail", f"not installed: {', '.join(missing)}", _SETUP)
    else:
        yield Finding("packages", "ok", f"{', '.join(_NEEDED)} are installed")


def models(profile: Profile, settings: Settings) -> Iterator[Finding]:
    """Whether the profile's weights are there: packaged ones byte for byte, the hub's large ones by their sizes."""
    for component in profile.components:
        held = locate(component, settings) if component.hub else inspect(component, settings)
        yield _model(held)
    if not profile.ready:
        what = f"profile {profile.name} can be planned for, but not evaluated with in this version"
        yield Finding("profile", "fail", what, "use --profile embedded")


def _model(held: Holding) -> Finding:
    component = held.component
    name = f"model {component.id}"
    if component.instead_of is not None and held.state == "absent":
        return Finding(name, "ok", f"not here, and not chosen instead of {component.instead_of}")
    if held.problem:
        found, _, fix = held.problem.rstrip(".").partition("; ")
        return Finding(name, "fail" if component.default else "warn", found, fix)
    if held.state == "planned":
        return Finding(name, "ok", "planned for only: no weights belong to it")
    if held.state == "elsewhere":
        return Finding(name, "ok", "on the endpoint's machine; dqa models verify asks whether it answers")
    how = "intact" if held.sound else "present; dqa models verify reads every byte"
    return Finding(name, "ok", f"{how}; licence {component.licence}")


def _torch(profile: Profile) -> Finding:
    if profile.device == "remote":
        return Finding("torch", "ok", f"profile {profile.name} needs none")
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Finding("torch", "fail", "not installed", _SETUP)
    if version.partition("+")[0] != TORCH:
        return Finding("torch", "warn", f"{version}; tested with {TORCH}", _SETUP)
    return Finding("torch", "ok", version)


def _torchvision(profile: Profile) -> Finding:
    """A torchvision that does not fit torch takes transformers down with it, though nothing here uses it."""
    if importlib.util.find_spec("torchvision") is None:
        return Finding("torchvision", "ok", "not installed, and not needed")
    try:
        import torchvision  # pyright: ignore[reportMissingImports]

        return Finding("torchvision", "ok", f"{torchvision.__version__} imports; nothing here uses it")
    except (ImportError, RuntimeError, OSError) as error:
        level = "fail" if profile.device == "cpu" else "warn"
        found = f"installed, but does not import ({type(error).__name__}), which breaks transformers' image models"
        return Finding("torchvision", level, found, "pip uninstall torchvision")
