"""A model behind an OpenAI-compatible endpoint that writes text: named by options, or by the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqa.config import Settings
from dqa.errors import ModelUnavailable

if TYPE_CHECKING:
    from dqa.models.vlm.endpoint import EndpointModel


def text_model(settings: Settings, role: str, url: str | None, model: str | None) -> EndpointModel:
    """The model.

    Args:
        role: whom it plays, and what the options are called by: ``--ROLE-url``, ``--ROLE-model``.
        url, model: what the options say; None for the settings' own.

    Raises:
        ModelUnavailable: neither options nor settings name one.
    """
    from dqa.models.vlm.endpoint import EndpointModel

    where, name = url or settings.vlm_url, model or settings.vlm_model
    if where is None or name is None:
        raise ModelUnavailable(
            f"the {role} has no model",
            fix=f"say --{role}-url and --{role}-model, or set DQA_VLM_URL and DQA_VLM_MODEL",
        )
    # The key belongs to the settings' endpoint: another one does not get it.
    key = settings.vlm_key if url in (None, settings.vlm_url) else None
    return EndpointModel(where, name, key.get_secret_value() if key else None)
