"""The tables, as the newest migration leaves them (a test compares the two).

Times are seconds since the epoch; identifiers sort by time. Records and requests are kept as the JSON text
that was written, so that what is read back is what was said, to the last digit.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    true,
)

metadata = MetaData()

ID = String(40)
SHA256 = String(64)

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("created", String(40), nullable=False),
    Column("user", String(200), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("sha256", SHA256, nullable=False),
    Column("grade", String(2)),
    Column("final", Float),
    Column("record", Text, nullable=False),
    Index("evaluations_by_user", "user", "id"),
    Index("evaluations_by_media", "sha256"),
)
"""Every verdict, whoever asked for it; ``record`` is its JSON."""

summaries = Table(
    "summaries",
    metadata,
    Column("id", ID, ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("created", String(40), nullable=False),
    Column("user", String(200), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("grade", String(2)),
    Column("final", Float),
    Column("action", String(8), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("excerpt", String(300), nullable=False),
    Column("folded", Text, nullable=False),
    Index("summaries_by_user", "user", "id"),
)
"""What a list shows of each verdict: ``excerpt`` is the start of the prompt, ``folded`` all of it, case-folded to be
searched. It is a table of its own because SQLite reads a row from its start: past ``record`` would be slow."""

media = Table(
    "media",
    metadata,
    Column("id", ID, primary_key=True),
    Column("sha256", SHA256, nullable=False, unique=True),
    Column("file", String(80), nullable=False),
    Column("name", String(200), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created", Float, nullable=False),
)
"""Uploads. ``file`` is the generated name under ``$DQA_HOME/media``; ``name`` what the sender called it, to show."""

media_locations = Table(
    "media_locations",
    metadata,
    Column("sha256", SHA256, primary_key=True),
    Column("path", Text, nullable=False),
    Column("seen", Float, nullable=False),
)
"""Where each judged file was last seen on this machine, for ``dqa reproduce``."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", ID, primary_key=True),
    Column("created", Float, nullable=False),
    Column("user", String(200), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("status", String(12), nullable=False),
    Column("request", Text, nullable=False),
    Column("media_id", ID, ForeignKey("media.id")),
    Column("attempts", Integer, nullable=False, default=0),
    Column("owner", String(200)),
    Column("lease_until", Float),
    Column("started", Float),
    Column("ended", Float),
    Column("cancel_at", Float),
    Column("error", Text),
    Index("jobs_by_status", "status", "id"),
)
"""Evaluations asked of the service; a running one is leased to its ``owner`` until ``lease_until``."""

job_events = Table(
    "job_events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("job", ID, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("data", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("job_events_by_job", "job", "seq"),
    sqlite_autoincrement=True,
)
"""What happened to each job, in order; a client that lost its connection goes on after the last ``seq`` it saw."""

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("route", String(64), primary_key=True),
    Column("body_sha256", SHA256, nullable=False),
    Column("resource", ID, nullable=False),
    Column("created", Float, nullable=False),
)
"""What each ``Idempotency-Key`` made, so that a repeated POST gets the same thing and makes nothing new."""

selections = Table(
    "selections",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("user", String(200), nullable=False),
    Column("test_id", String(200), nullable=False),
    Column("a", String(200), nullable=False),
    Column("b", String(200), nullable=False),
    Column("chosen", String(3), nullable=False),
    Column("source", String(16), nullable=False),
    Column("created", String(40), nullable=False),
    Column("left_side", String(1)),
    Column("why", Text, nullable=False, server_default="[]"),
    Column("received", Float),
    Index("selections_once", "user", "test_id", unique=True),
    sqlite_autoincrement=True,
)
"""A/B choices, append-only, each ``test_id`` of a user once. ``a`` and ``b`` are evaluation ids, or what a memory block
called the clips; ``chosen`` is ``a``, ``b`` or ``tie``. ``left_side`` is the one that was shown on the left, where that
is known; ``why`` a JSON list of the reasons that were ticked; ``received`` our own clock, whatever ``created`` says."""

tuner_steps = Table(
    "tuner_steps",
    metadata,
    Column("user", String(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("created", String(40), nullable=False),
    Column("consumed", Integer, nullable=False),
    Column("output", Text, nullable=False),
    Column("taste", Text, nullable=False),
    Column("profile", String(64), nullable=False, server_default="embedded"),
    Column("promoted", Boolean, nullable=False, server_default=true()),
    Column("excluded", Text, nullable=False, server_default="[]"),
)
"""Training steps: the last selection each has seen (``consumed``), the model it made (``taste``), what it told.
``profile``: whose scores it is for; ``promoted``: whether it passed the gate and came to serve; ``excluded``: ranges
``[after, until]`` of ``selections.seq`` that were set aside when it was made. Only the newest tastes are kept:
``taste`` is empty in older rows, whose outputs stay."""

tuner_heads = Table(
    "tuner_heads",
    metadata,
    Column("user", String(200), primary_key=True),
    Column("profile", String(64), primary_key=True),
    Column("version", Integer),
    Column("excluded", Text, nullable=False),
    Column("updated", String(40), nullable=False),
)
"""Which version of a user's taste serves a profile (null: none, after a reset), and which choices are set aside."""

user_styles = Table(
    "user_styles",
    metadata,
    Column("user", String(200), primary_key=True),
    Column("style", Text, nullable=False),
    Column("updated", String(40), nullable=False),
)
"""What each user says they like and dislike (the user_style block), as JSON."""

trainings = Table(
    "trainings",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user", String(200), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("status", String(12), nullable=False),
    Column("request", Text, nullable=False),
    Column("progress", Text, nullable=False),
    Column("outcome", Text),
    Column("owner", String(200)),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("ended", Float),
    Column("cancel_at", Float),
    Index("trainings_by_user", "user", "profile", "id"),
)
"""Trainings of a language model's adapter on choices: queued, running, done, refused, failed, cancelled."""

adapter_rewards = Table(
    "adapter_rewards",
    metadata,
    Column("user", String(200), primary_key=True),
    Column("adapter", String(64), primary_key=True),
    Column("evaluation", ID, primary_key=True),
    Column("reward", Float, nullable=False),
)
"""Implicit reward that a user's adapter gives to an evaluated clip, in nats."""

refinements = Table(
    "refinements",
    metadata,
    Column("id", ID, primary_key=True),
    Column("created", String(40), nullable=False),
    Column("user", String(200), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("cycles", Integer, nullable=False),
    Column("accepted", ID),
    Column("record", Text, nullable=False),
    Index("refinements_by_user", "user", "id"),
)
"""Briefs taken through prompt, clip and verdict until one was good enough: ``record`` is the JSON that was written,
``cycles`` how many clips it took, ``accepted`` the evaluation that was accepted."""

generations = Table(
    "generations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("created", Float, nullable=False),
    Column("user", String(200), nullable=False),
    Column("status", String(12), nullable=False),
    Column("request", Text, nullable=False),
    Column("run", ID, nullable=False),
    Column("submitted", Boolean, nullable=False),
    Column("media_id", ID, ForeignKey("media.id")),
    Column("owner", String(200)),
    Column("started", Float),
    Column("ended", Float),
    Column("cancel_at", Float),
    Column("error", Text),
    Index("generations_by_status", "status", "id"),
)
"""Clips asked of the operator's generator. ``run`` is the id that the generator knows it by, drawn before it is asked,
``submitted`` whether it may have been: who takes up another's generation asks for that run before it starts one."""
