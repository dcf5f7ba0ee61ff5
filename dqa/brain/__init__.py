"""The rule brain: an OpenAI-compatible endpoint that completes DQA's agents by rules. It is not a language model.

For a first run without keys, and for tests: it picks the tool that is offered, fills the arguments from the
conversation by the tool's schema, and answers chat with facts that tools returned. The same conversation always gets
the same answer.
"""

from __future__ import annotations

MODEL = "dqa-rule-brain"
"""The model id. Neutral on purpose: hosts treat some names as reasoning models and call another route for them."""

NAME = "rule brain, not a language model"
"""How it calls itself wherever it shows."""
