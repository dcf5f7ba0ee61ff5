"""Sleeptime groups: whose turns wake whom (docs/design/sleeptime.md).

The server's turn counter starts at -1 and is raised before it is looked at, so that a new group wakes on the turns 1, 6
and 11. With the counter at 0 it wakes on 5, 10 and 15, as the frequency promises. There is no route that sets it.
"""

from __future__ import annotations

from collections.abc import Callable

from dqa.agenthost.manifest import SleeptimeData
from dqa.agenthost.port import AgentHost, HostGroup
from dqa.errors import Conflict

WARM_UP = (
    "This note comes from the deployment of DQA, once: it sets the counter by which the Tuner wakes every few turns. "
    "Nothing is to be done; please answer with one word."
)
"""Sent once to the manager of a new group where the counter can't be set: this turn counts as 0."""

_PATIENCE_S = 120.0


def group_of(host: AgentHost, manager_id: str, sleeper_id: str) -> HostGroup | None:
    """The group in which ``manager_id``'s turns wake ``sleeper_id``."""
    return next((group for group in host.groups(manager_id) if sleeper_id in group.agent_ids), None)


def connect(
    host: AgentHost,
    manager_id: str,
    sleeper_id: str,
    data: SleeptimeData,
    reset_counter: Callable[[str], None] | None,
) -> HostGroup | None:
    """Makes the group, or mends its frequency; returns it if it was made now.

    Args:
        reset_counter: sets the counter of a group, by id, to 0; without it one note is sent to the manager.

    Raises:
        Conflict: the manager already has a sleeptime agent of somebody else's.
    """
    manager = host.agent(manager_id)
    group = group_of(host, manager_id, sleeper_id)
    if group is None and host.groups(manager_id):
        raise Conflict(
            f"agent {manager.name} already has a sleeptime agent",
            fix="detach that one first; a server wakes one group per agent",
        )
    made = None
    if group is None:
        # The group first: switching sleeptime on without one makes the server create an agent of its own.
        made = host.create_group(manager_id, sleeper_id, data.frequency)
    elif group.frequency != data.frequency:
        host.set_frequency(group, data.frequency)
    if not manager.sleeptime:
        # With the system prompt left out, the server may derive another one.
        host.update_agent(manager_id, enable_sleeptime=True, system=manager.system)
    if made is not None:
        if reset_counter is not None:
            reset_counter(made.id)
        else:
            host.send(manager_id, WARM_UP, _PATIENCE_S)
    return made
