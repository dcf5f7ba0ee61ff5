"""The real service with short patience: ``python -m tests.attacks.impatient``."""

from __future__ import annotations

import sys
from functools import partial

from dqa.config import load_settings
from dqa.service import connections, server
from dqa.service.app import create_app
from dqa.service.limits import HttpLimits

if __name__ == "__main__":
    server.create_app = partial(create_app, limits=HttpLimits(json_s=0.5, upload_stall_s=0.7, heartbeat_s=0.2))  # type: ignore[assignment]
    connections.MOST_CONNECTIONS = 16
    connections.HEAD_S = 1.0
    connections.UNREAD_S = 2.0
    connections.FLUSH_S = 1.0
    sys.exit(server.serve(load_settings(), evaluator="dqa.testing:ScriptedEvaluator"))
