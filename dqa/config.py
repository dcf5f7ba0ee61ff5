"""The settings, from flags, then ``DQA_*`` variables, then ``$DQA_HOME/config.toml``; the first that speaks wins.

A name that no setting has is an error with a suggestion: a misspelt limit must not be silently ignored.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from dqa.errors import ConfigError

_PREFIX = "DQA_"
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


class Settings(BaseModel):
    """One immutable set of settings. Field ``x`` is the variable ``DQA_X`` and the key ``x`` in ``config.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    home: Path = Field(description="the state folder: database, media, models")
    profile: str = Field("embedded", description="which models fill the channels (a file in workers/)")
    roots: tuple[Path, ...] = Field((), description="folders the service may read media from (':'-separated)")
    host: str = Field("127.0.0.1", description="address the service listens on")
    port: int = Field(8765, ge=0, le=65535, description="port of the service; 0 takes a free one")
    url: str | None = Field(None, description="where the service is reached; default http://HOST:PORT")
    token: SecretStr | None = Field(None, description="bearer token of the service; required off loopback")
    database_url: str | None = Field(None, description="SQLAlchemy URL; default SQLite in the state folder")
    user: str = Field("default", description="whose taste counts")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of everything random")
    workers: int = Field(1, ge=1, le=64, description="evaluation processes of the service")
    queue_size: int = Field(64, ge=1, description="evaluations that may wait before the service answers 429")
    job_timeout_s: float = Field(600, gt=0, description="longest one evaluation may take")
    max_media_mb: float = Field(2048, gt=0, description="largest media file or upload, in MB")
    max_pixels: int = Field(3840 * 2160 * 2, gt=0, description="largest frame, in pixels")
    max_frames: int = Field(20_000, gt=0, description="most frames in one clip")
    decode_timeout_s: float = Field(300, gt=0, description="longest a decode may take")
    budget_gb: float | None = Field(None, gt=0, description="memory the models may take; default the profile's")
    cpu_budget_gb: float | None = Field(
        None, ge=0, description="host memory for models evicted from a GPU; default half of what is free, 0 for none"
    )
    allowed_hosts: tuple[str, ...] = Field((), description="further Host names the service answers to")
    agent_model: str | None = Field(None, description="Letta's handle of the agents' model; default the rule brain")
    agent_embedding: str | None = Field(None, description="likewise of their embedding model; default the rule brain's")
    taste_versions: int = Field(20, ge=1, le=1000, description="versions of each user's taste that can be gone back to")
    adaptive_weights: bool = Field(
        True, description="let channels weigh as a user's choices have shown to predict better; false: never"
    )
    taste_model: str | None = Field(
        None, description="language model to train on choices: a folder, or a hub id in the local cache; none: off"
    )
    taste_revision: str | None = Field(None, description="commit of the hub id")
    taste_min_pairs: int = Field(100, ge=1, description="clean pairs before a language model is trained")
    taste_every: int = Field(25, ge=1, description="new pairs before it is trained again")
    adapter_versions: int = Field(5, ge=1, le=100, description="trained adapters kept of each user and profile")
    benchmark_backend: Literal["measured", "vbench"] | None = Field(
        None, description="what judges the benchmark channel: measured, or the official vbench; default the profile's"
    )
    clips: Path | None = Field(None, description="folder of clips that stands in for a video generator")
    vlm_url: str | None = Field(None, description="vision-language model's endpoint, to /v1 (profile remote-vlm)")
    vlm_model: str | None = Field(None, description="the name that endpoint knows the model by")
    vlm_key: SecretStr | None = Field(None, description="its key, where it wants one")
    vlm_frames: Literal["images", "video"] = Field(
        "images",
        description="how that endpoint is shown several frames: as images, or as one video (vLLM's video/jpeg)",
    )
    vlm_folder: Path | None = Field(
        None,
        description="folder of a local vision-language model; default the profile's in the hub cache",
    )
    vlm_component: str | None = Field(
        None,
        description="which of a profile's vision-language models judges (dqa models list); default the profile's own",
    )
    comfy_url: str = Field("http://127.0.0.1:8188", description="where ComfyUI is reached")
    comfy_workflow: Path | None = Field(None, description="workflow in API format that makes the service's clips")
    comfy_workflows: Path | None = Field(None, description="folder of further workflows, asked for by their names")
    comfy_timeout_s: float = Field(1800, gt=0, description="longest the service waits for one clip of ComfyUI's")
    ray_address: str | None = Field(
        None, description="host:port of the Ray cluster of dqa batch --engine ray; default one is started here"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")

    @field_validator("roots", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part for part in value.split(os.pathsep) if part)
        return value

    @field_validator("token")
    @classmethod
    def _sendable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            what = "the token holds characters that an Authorization header can't carry (only printable ASCII can)"
            raise PydanticCustomError("token", what)
        return value

    @field_validator("home", "roots")
    @classmethod
    def _absolute(cls, value: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
        if isinstance(value, tuple):
            return tuple(p.expanduser().absolute() for p in value)
        return value.expanduser().absolute()

    @property
    def service_url(self) -> str:
        """Base URL of the service, without a trailing slash."""
        return (self.url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home / 'dqa.sqlite3'}"


def load_settings(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings.

    Args:
        flags: what the command line gave; ``None`` values mean "not given".
        environ: the environment; default ``os.environ``.

    Raises:
        ConfigError: an unknown name or a value of the wrong form, naming where it stands.
    """
    env = os.environ if environ is None else environ
    from_env = {k[len(_PREFIX) :].lower(): v for k, v in env.items() if k.startswith(_PREFIX)}
    # Variables of the project's own tests and tools share the prefix, and are nobody's setting.
    from_env = {k: v for k, v in from_env.items() if not k.startswith("test_")}
    _refuse_unknown(from_env, lambda name: f"{_PREFIX}{name.upper()}")
    home = Path((flags or {}).get("home") or from_env.get("home") or Path.home() / ".dqa")
    from_file = _read_file(home.expanduser() / "config.toml")
    given = {k: v for k, v in (flags or {}).items() if v is not None}
    try:
        return Settings.model_validate({**from_file, **from_env, **given, "home": home})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "?"
        where = _origin(name, given, from_env, home)
        raise ConfigError(f"{first['msg'][:1].lower()}{first['msg'][1:]}", fix="correct it", where=where) from None


def _read_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"not readable as TOML ({error})", fix="correct the file", where=str(path)) from None
    _refuse_unknown(values, lambda name: f"{path}: {name}")
    return values


def _refuse_unknown(values: Mapping[str, Any], spell: Callable[[str], str]) -> None:
    for name in values:
        if name not in Settings.model_fields:
            close = difflib.get_close_matches(name, list(Settings.model_fields), n=1)
            hint = f"did you mean {spell(close[0]).split(': ')[-1]}?" if close else "see docs/reference/settings.md"
            raise ConfigError("unknown setting", fix=hint.rstrip("."), where=spell(name))


def _origin(name: str, given: Mapping[str, Any], env: Mapping[str, Any], home: Path) -> str:
    if name in given:
        return f"--{name.replace('_', '-')}"
    return f"{_PREFIX}{name.upper()}" if name in env else f"{home / 'config.toml'}: {name}"
