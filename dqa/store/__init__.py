"""The one store: evaluations, media, jobs. SQLite in WAL mode by default, PostgreSQL by URL."""

from dqa.store.jobs import Event, Job, JobState, LeasedJob, NewJob
from dqa.store.media import StoredMedia
from dqa.store.store import Store

__all__ = ["Event", "Job", "JobState", "LeasedJob", "NewJob", "Store", "StoredMedia"]
