"""``dqa models pull``: fetches a profile's hub models once; evaluations never touch the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from dqa.cli import runtime
from dqa.cli.options import AsJson, Home, ProfileName, Quiet
from dqa.cli.output import emit, emit_json, say
from dqa.cli.progress import make_progress
from dqa.errors import DQAError, UsageError
from dqa.models.hub import lock
from dqa.models.hub.pull import Order, check_space, fetch, gigabytes, order
from dqa.models.profiles import Component, Profile, chosen_profile

_FIRST = (
    "No revision is pinned for it in the profile: what the hub gives today is trusted from now on, and nothing else."
)


def command(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Components; default all that come by default.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Also fetch those named whose licence must be asked for.")
    ] = False,
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Fetch the hub models of a profile: safetensors and text only, each file checked and its SHA-256 kept.

    Needs a network, once. What is complete is kept and not fetched again. Exit code 4 if a model can't be had or is not
    the one that was pulled before.
    """
    settings = runtime.settings_from(profile=profile, home=home)
    chosen = chosen_profile(settings)
    wanted = _wanted(chosen, ids or [], accept_licence=accept_licence)
    orders: list[Order] = []
    failed: list[DQAError] = []
    for component in wanted:
        try:
            orders.append(order(component, settings.home))
        except DQAError as error:  # one that can't be had must not cost the others
            failed.append(error)
    check_space(orders)
    fetched = _fetch(orders, settings, failed, quiet=quiet)
    for error in failed:
        say(error.sentence())
    if as_json:
        emit_json([_as_dict(made, locked) for made, locked in fetched])
    elif not wanted:
        emit(f"Profile {chosen.name} has no models on the hub: there is nothing to pull.")
    return max((error.exit_code for error in failed), default=0)


def _wanted(profile: Profile, ids: Sequence[str], *, accept_licence: bool) -> list[Component]:
    on_hub = {component.id: component for component in profile.components if component.on_hub}
    for name in ids:
        if name not in on_hub:
            known = ", ".join(on_hub) or "none"
            raise UsageError(f"profile {profile.name} has no hub model {name!r}", fix=f"its hub models are: {known}")
        if not (on_hub[name].free or accept_licence):
            raise UsageError(
                f"{name} is only fetched if asked for: its licence is {on_hub[name].licence}",
                fix="add --accept-licence if you may use it under that",
            )
    return [on_hub[name] for name in dict.fromkeys(ids)] if ids else [c for c in on_hub.values() if c.default]


def _fetch(
    orders: Sequence[Order], settings: runtime.Settings, failed: list[DQAError], *, quiet: bool
) -> list[tuple[Order, lock.Locked]]:
    fetched: list[tuple[Order, lock.Locked]] = []
    with make_progress(len(orders), quiet=quiet) as progress:
        for made in orders:
            component = made.component
            progress.item(component.id)
            try:
                now = order(component, settings.home)  # another component may have brought the same files by now
                if not quiet:
                    say(_announced(now))
                fetched.append((now, fetch(now, settings.home, progress.stage)))
            except DQAError as error:
                failed.append(error)
                progress.done("not pulled")
            else:
                progress.done(f"{gigabytes(made.size)}, revision {made.commit[:12]}")
    return fetched


def _announced(made: Order) -> str:
    component = made.component
    card = f" (the hub says {made.licence})" if made.licence and made.licence not in component.licence.lower() else ""
    first = "" if component.revision or made.known else f" {_FIRST}"
    size = f"{gigabytes(made.missing)} of {gigabytes(made.size)} to fetch"
    return f"{component.id}: {component.hub}, licence {component.licence}{card}, {size}.{first}"


def _as_dict(made: Order, locked: lock.Locked) -> dict[str, Any]:
    return {
        "id": made.component.id,
        "hub": locked.hub,
        "revision": locked.revision,
        "licence": made.component.licence,
        "hub_licence": locked.licence,
        "bytes": made.size,
        "fetched_bytes": made.missing,
        "files": {name: {"sha256": pin.sha256, "size": pin.size} for name, pin in sorted(locked.files.items())},
    }
