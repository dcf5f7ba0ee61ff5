"""Prompts: what may be one (:func:`check_prompt`) and what it asks for (:func:`parse_prompt`)."""

from dqa.prompt.check import check_prompt
from dqa.prompt.chunker import parse_prompt
from dqa.prompt.parse import Entity, Prompt, Relation

__all__ = ["Entity", "Prompt", "Relation", "check_prompt", "parse_prompt"]
