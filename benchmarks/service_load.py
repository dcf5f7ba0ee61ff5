"""Four times the load the service can bear: how it answers, and what it costs.

    python benchmarks/service_load.py [--seconds 20] [--clients 16] [--work 0.1]

The evaluations are scripted (``--work`` seconds each), so that the figures are the service's own: latency of the
answers (202, or 429 once the queue is full), of the health check beside them, CPU of the service process, and
growth of its memory and open files from the first quarter of the run to its end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.service.running import RunningService, running


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--work", type=float, default=0.1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, running(Path(home), queue_size=32) as service:
        print(json.dumps(load(service, options.seconds, options.clients, options.work), indent=2))


def load(service: RunningService, seconds: float, clients: int, work: float) -> dict[str, object]:
    media = service.upload()
    answers: list[tuple[int, float]] = []
    health: list[float] = []
    until = time.monotonic() + seconds
    pace = clients * work / 4  # each client asks so often that together they ask four times what one worker does

    def ask() -> None:
        body = {"media": media, "prompt": f"a wolf sleep:{work}"}
        with httpx.Client(base_url=service.url, timeout=30) as client:
            while time.monotonic() < until:
                began = time.perf_counter()
                status = client.post("/v1/evaluations", json=body).status_code
                spent = time.perf_counter() - began
                answers.append((status, spent))
                time.sleep(max(0.0, pace - spent))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    process = psutil.Process(service.process.pid)
    began_cpu = sum(process.cpu_times()[:2])
    early = (0, 0)
    while (left := until - time.monotonic()) > 0:
        began = time.perf_counter()
        service.client.get("/healthz")
        health.append(time.perf_counter() - began)
        if early == (0, 0) and left < 0.75 * seconds:
            early = (process.memory_info().rss, process.num_fds())
        time.sleep(0.05)
    for thread in threads:
        thread.join()
    done = service.client.get("/metrics").text
    return {
        "requests_per_s": round(len(answers) / seconds, 1),
        "statuses": {status: sum(s == status for s, _ in answers) for status in sorted({s for s, _ in answers})},
        "post_ms": quantiles([spent for _, spent in answers]),
        "health_ms": quantiles(health),
        "cpu_share": round((sum(process.cpu_times()[:2]) - began_cpu) / seconds, 2),
        "rss_mb": round(process.memory_info().rss / 1e6, 1),
        "rss_growth_percent": round(100 * (process.memory_info().rss / early[0] - 1), 2),
        "open_files_growth": process.num_fds() - early[1],
        "done": float(done.split('dqa_jobs_total{outcome="done"} ')[1].split("\n")[0]),
    }


def quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(1000 * cuts[49], 1), "p95": round(1000 * cuts[94], 1), "p99": round(1000 * cuts[98], 1)}


if __name__ == "__main__":
    main()
