"""What Prometheus reads at /metrics. Labels are routes and states only: never prompts, users, paths or tokens."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The measurements of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "dqa_http_requests", "HTTP requests", ["method", "route", "status"], registry=self.registry
        )
        self.queued = Gauge("dqa_queue_depth", "Evaluations that wait", registry=self.registry)
        self.running = Gauge("dqa_running", "Evaluations under way", registry=self.registry)
        self.jobs = Counter("dqa_jobs", "Evaluations that ended, by outcome", ["outcome"], registry=self.registry)
        self.seconds = Histogram(
            "dqa_evaluation_seconds",
            "Wall time of an evaluation in its worker",
            buckets=(0.5, 1, 2, 5, 10, 20, 45, 90, 180, 600),
            registry=self.registry,
        )
        self.ready = Gauge("dqa_workers_ready", "Worker processes with their models loaded", registry=self.registry)
        self.restarts = Counter("dqa_worker_restarts", "Worker processes that ended unasked", registry=self.registry)
        self.peak_rss = Gauge(
            "dqa_worker_peak_rss_bytes", "Most memory a worker has held", ["worker"], registry=self.registry
        )
        self.memory = Gauge(
            "dqa_channel_memory_bytes",
            "What the device held in a channel's last run (allocated, reserved, peak); a CPU: resident memory",
            ["channel", "kind"],
            registry=self.registry,
        )
        for outcome in ("done", "failed", "cancelled"):
            self.jobs.labels(outcome)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
