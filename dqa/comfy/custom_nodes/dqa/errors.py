"""What a node raises: ComfyUI shows its one sentence on the node, and gives it to API clients."""

from __future__ import annotations


class DQAProblem(RuntimeError):
    """One sentence on what is wrong and how to mend it."""
