"""A folder with VBench's package and what its five functions import, fetched from the package index."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dqa.errors import UnavailableError

VERSIONS = Path(__file__).parents[1] / "workers" / "vbench" / "constraints.txt"
PACKAGES = ["vbench", "openai-clip", "setuptools", "ftfy", "wcwidth", "regex", "decord", "easydict", "torchvision"]
"""Without their dependencies: torch is ours, and vbench's own transformers could not be beside it."""


def provide(folder: Path, tell: Callable[[str], None], python: str = sys.executable) -> Path:
    """The folder, filled by pip unless it holds the package already.

    Raises:
        UnavailableError: pip is missing, or the package index can't be reached or lacks one of them.
    """
    if (folder / "vbench").is_dir():
        return folder
    versions = "vbench==0.1.5"
    tell(f"fetching {versions} and {len(PACKAGES) - 1} packages it imports from the package index")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--no-input", "--no-deps", "--quiet"]
    wanted = [versions, *PACKAGES[1:]]
    done = subprocess.run(
        [*pip, "--target", str(folder), "-c", str(VERSIONS), *wanted],
        check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        raise UnavailableError(
            f"VBench's package could not be fetched: {complaint(done.stderr)}",
            fix="run where pip reaches a package index, or give --site, a folder that already holds the package",
        )
    return folder


def complaint(said: str) -> str:
    """The line of pip's that says most: its last error, else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip said nothing"])[-1].removeprefix("ERROR:").strip()[:300]
