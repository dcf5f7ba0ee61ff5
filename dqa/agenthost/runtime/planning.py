"""From settings and options to a plan: ports, addresses, secrets, environments."""

from __future__ import annotations

from collections.abc import Mapping

from dqa.agenthost.runtime.environment import prepare
from dqa.agenthost.runtime.health import answers, free_port, port_is_free
from dqa.agenthost.runtime.identity import Identity, can_read, service_identity
from dqa.agenthost.runtime.layout import Layout, existing_layout, kept_secret, make_layout, read_secret
from dqa.agenthost.runtime.options import BRAIN_PORT, LETTA_PORT, Connection, Tell, UpOptions
from dqa.agenthost.runtime.plan import OwnLetta, Plan, settings_variables
from dqa.agenthost.runtime.processes import ProcessId
from dqa.agenthost.runtime.state import State
from dqa.config import Settings
from dqa.errors import ConfigError, UnavailableError

PASSWORD = "letta_password"  # noqa: S105 - the file's name
TOKEN = "token"  # noqa: S105 - the file's name
_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not bound to


def asked_for(options: UpOptions) -> dict[str, str]:
    """The options that were given, as they are compared with those of a running deployment."""
    given = {
        "--letta-url": options.letta_url,
        "--letta-port": options.letta_port,
        "--brain-port": options.brain_port,
        "--brain-url": options.brain_url,
        "--pass-env": " ".join(sorted(options.provider_variables)) or None,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def make_plan(settings: Settings, options: UpOptions, tell: Tell) -> Plan:
    """Everything that ``dqa up`` decides before anything runs; makes folders, secrets and environments.

    Raises:
        UnavailableError: a port is taken, an environment can't be made, an existing server does not answer.
        ConfigError: an option that can't be used.
    """
    if options.letta_url is not None:
        return _external(settings, options, options.letta_url.rstrip("/"))
    identity = service_identity()
    layout = make_layout(settings.home, identity, options.environment)
    own = _own_letta(layout, options)
    if settings.clips and identity and not can_read(settings.clips, identity):
        tell(f"the agents' tools run as the user {identity.name}, who can't read {settings.clips} (DQA_CLIPS)")
    worker_port = _worker_port(settings)
    _require_distinct({"--letta-port": own.port, "--brain-port": own.brain_port, "--port or DQA_PORT": worker_port})
    prepare(layout, identity, tell)
    state = _state(settings, options, worker_port, f"http://127.0.0.1:{own.port}")
    state.postgres_port, state.environment = own.postgres_port, str(layout.environment)
    return _plan(settings, layout, identity, own, worker_port, state, options)


def connection(settings: Settings, state: State) -> Connection:
    """How to reach what ``state`` describes, with the secrets from the state folder."""
    layout = existing_layout(settings.home)
    given = settings.token.get_secret_value() if settings.token else None
    return Connection(
        service_url=state.service_url,
        service_token=given or read_secret(layout.secret_file(TOKEN)),
        letta_url=state.letta_url,
        letta_key=read_secret(layout.secret_file(PASSWORD)),
    )


def _external(settings: Settings, options: UpOptions, url: str) -> Plan:
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url!r} is no http or https address", fix="give one", where="--letta-url")
    layout = make_layout(settings.home, None, options.environment)
    if not answers(f"{url}/v1/health/", options.letta_key):
        raise UnavailableError(
            f"no Letta server answers at {url}", fix="check the address with --letta-url and the key with --letta-key"
        )
    if options.letta_key:
        kept_secret(layout.secret_file(PASSWORD), options.letta_key)
    else:
        layout.secret_file(PASSWORD).unlink(missing_ok=True)
    port = _worker_port(settings)
    return _plan(settings, layout, None, None, port, _state(settings, options, port, url), options)


def _own_letta(layout: Layout, options: UpOptions) -> OwnLetta:
    port = LETTA_PORT if options.letta_port is None else options.letta_port
    _require_free(port, "the Letta server", "--letta-port N")
    brain_port = None
    if options.brain_url is None:
        brain_port = BRAIN_PORT if options.brain_port is None else options.brain_port
        _require_free(brain_port, "the brain", "--brain-port N")
    return OwnLetta(
        port=port,
        postgres_port=free_port(),
        password=kept_secret(layout.secret_file(PASSWORD)),
        postgres_password=kept_secret(layout.secret_file("postgres_password")),
        encryption_key=kept_secret(layout.secret_file("letta_encryption_key")),
        brain_url=options.brain_url or f"http://127.0.0.1:{brain_port}/v1",
        brain_port=brain_port,
        providers=dict(options.provider_variables),
    )


def _worker_port(settings: Settings) -> int:
    if settings.port == 0:
        return free_port()
    host = "0.0.0.0" if settings.host in _ANYWHERE else settings.host  # noqa: S104 - as the setting asks
    _require_free(settings.port, "the worker service", "--port N or DQA_PORT", host)
    return settings.port


def _require_free(port: int, what: str, flag: str, host: str = "127.0.0.1") -> None:
    if not 0 < port < 65536:
        raise ConfigError(f"{port} is no port for {what}", fix=f"choose 1 to 65535 with {flag}")
    if not port_is_free(port, host):
        raise UnavailableError(f"port {port}, for {what}, is taken", fix=f"free it, or choose another with {flag}")


def _require_distinct(ports: Mapping[str, int | None]) -> None:
    """Each is free by itself; of two servers on the same the second would only be seen to end, again and again."""
    known: dict[int, str] = {}
    for flag, port in ports.items():
        if port is not None and port in known:
            raise ConfigError(f"{known[port]} and {flag} are both {port}", fix="give each server a port of its own")
        if port is not None:
            known[port] = flag


def _state(settings: Settings, options: UpOptions, worker_port: int, letta_url: str) -> State:
    host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
    return State(
        supervisor=ProcessId(pid=0, started=0.0),
        service_url=settings.url.rstrip("/") if settings.url else f"http://{host}:{worker_port}",
        letta_url=letta_url,
        external=options.letta_url is not None,
        asked=asked_for(options),
        settings=public_settings(settings),
    )


def public_settings(settings: Settings) -> dict[str, str]:
    """The settings as text, to tell whether they changed; without secrets and what names the folder anyway."""
    kept = settings_variables(settings)
    hidden = {"DQA_TOKEN", "DQA_VLM_KEY", "DQA_HOME", "DQA_DATABASE_URL"}
    return {name: value for name, value in kept.items() if name not in hidden}


def _plan(
    settings: Settings,
    layout: Layout,
    identity: Identity | None,
    letta: OwnLetta | None,
    worker_port: int,
    state: State,
    options: UpOptions,
) -> Plan:
    token = kept_secret(layout.secret_file(TOKEN), settings.token.get_secret_value() if settings.token else None)
    host = "127.0.0.1" if settings.host in _ANYWHERE else settings.host
    return Plan(
        home=settings.home,
        letta_folder=layout.letta,
        environment=layout.environment,
        identity=identity,
        worker={**settings_variables(settings), "DQA_PORT": str(worker_port), "DQA_TOKEN": token},
        worker_url=f"http://{host}:{worker_port}",
        letta=letta,
        patience_s=options.patience_s,
        state=state,
    )
