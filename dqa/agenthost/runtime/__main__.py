"""The supervisor's process: ``python -m dqa.agenthost.runtime``, with a plan on its stdin."""

from __future__ import annotations

import sys

from dqa.agenthost.runtime.plan import Plan
from dqa.agenthost.runtime.supervisor import supervise

if __name__ == "__main__":
    sys.exit(supervise(Plan.model_validate_json(sys.stdin.buffer.read())))
