"""How much a request may cost before anyone looks at what it says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Caps on requests.

    Attributes:
        json_bytes: largest body of any route but the upload.
        json_s: longest such a body may take to come.
        upload_stall_s: longest pause within an upload.
        upload_bytes_per_s: slowest an upload may be on average, after its first ``upload_stall_s``.
        headers: most header fields.
        header_bytes: most bytes in all header fields.
        frames_at_once: frames decoded at the same time.
        longest_wait_s: longest a POST with ``wait`` is held.
        choices_per_minute: choices that are taken of one user in any minute.
        imports_per_minute: new choices that are taken of one user from memory blocks in any minute.
        heartbeat_s: pause between the comments that keep an event stream open.
    """

    json_bytes: int = 1_000_000
    json_s: float = 10.0
    upload_stall_s: float = 15.0
    upload_bytes_per_s: float = 16_000.0
    headers: int = 100
    header_bytes: int = 32_768
    frames_at_once: int = 2
    longest_wait_s: float = 600.0
    choices_per_minute: int = 600
    imports_per_minute: int = 1000
    heartbeat_s: float = 15.0
