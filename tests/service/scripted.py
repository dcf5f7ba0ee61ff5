"""Runs the real service with scripted evaluations: ``python -m tests.service.scripted``."""

from __future__ import annotations

import sys

from dqa.config import load_settings
from dqa.service.server import serve

if __name__ == "__main__":
    sys.exit(serve(load_settings(), evaluator="dqa.testing:ScriptedEvaluator"))
