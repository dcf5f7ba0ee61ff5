"""``python -m dqa.brain --port N``: serves the rule brain on loopback until it is stopped."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dqa.brain import NAME


def main() -> None:
    """Reads the arguments and serves."""
    parser = argparse.ArgumentParser(
        prog="python -m dqa.brain", description=f"An OpenAI-compatible endpoint that completes DQA's agents ({NAME})."
    )
    parser.add_argument("--port", type=int, default=8764)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; it needs no key, so keep it private")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="a further Host name")
    parser.add_argument("--home", type=Path, default=None, help="the state folder [DQA_HOME; ~/.dqa]")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is first imported
    import uvicorn

    from dqa.brain.server import create_app
    from dqa.brain.vectors import Embedder, packaged

    home = arguments.home or Path(os.environ.get("DQA_HOME") or Path.home() / ".dqa")
    app = create_app(Embedder(packaged(home)), arguments.allow_host)
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
