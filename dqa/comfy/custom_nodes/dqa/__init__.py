"""DQA's nodes for ComfyUI: the prompt, verdicts on what was generated, and comparisons with a reference.

The nodes ask a DQA service over HTTP and load no model. Nothing happens when they are imported: without a service
ComfyUI starts as it always does, and a node that runs says in one sentence what is missing.
"""

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
