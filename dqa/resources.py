"""Where the deployment folders (workers/, agents/, tools/, memory_blocks/) lie: in the wheel or in the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def deployment_folder(name: str) -> Path:
    """The folder ``name`` of the deployment, as shipped in the wheel, else as it stands in the checkout.

    >>> (deployment_folder("workers") / "embedded.toml").is_file()
    True
    """
    shipped = _PACKAGE / "_deployment" / name
    return shipped if shipped.is_dir() else _PACKAGE.parent / name
