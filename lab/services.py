"""The cloud's control plane: MariaDB, RabbitMQ, Keystone and Neutron's server, as Debian has them."""

import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from lab.layout import (
    EPMD_PORT,
    KEYSTONE_PORT,
    NEUTRON_PORT,
    PHYSICAL_NETWORK,
    RABBIT_PORT,
    REGION,
    Layout,
    controller_address,
)
from lab.processes import Background, run

START_SECONDS = 240.0
SYNC_SECONDS = 400.0
AUTH_URL = f"http://127.0.0.1:{KEYSTONE_PORT}/v3"


@dataclass(frozen=True)
class Secrets:
    """The passwords of one run."""

    administrator: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    service: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)


def write_ini(layout: Layout, name: str, sections: dict[str, dict[str, object]]) -> str:
    """Write a file of configuration and return its path."""
    path = layout.etc(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        line
        for section, values in sections.items()
        for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), "")
    ]
    path.write_text("\n".join(lines))
    return str(path)


def queue_url(host: str) -> str:
    """Return where a service finds RabbitMQ."""
    return f"rabbit://guest:guest@{host}:{RABBIT_PORT}//"


def start(layout: Layout, background: Background, kept: Secrets) -> None:
    """Start the control plane, and return when Keystone and Neutron answer."""
    background.start("rabbit", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], _rabbit(layout))
    _start_database(layout, background)
    keystone, neutron = _keystone(layout), _neutron(layout, kept)
    with ThreadPoolExecutor(2) as aside:
        synced = aside.submit(run, "neutron-db-manage", *_files(*neutron), "upgrade", "heads", seconds=SYNC_SECONDS)
        manage = ("keystone-manage", *_files(keystone))
        run(*manage, "db_sync", seconds=SYNC_SECONDS)
        for what in ("fernet_setup", "credential_setup"):
            run(*manage, what, "--keystone-user", "root", "--keystone-group", "root")
        addresses = [f"--bootstrap-{kind}-url={AUTH_URL}" for kind in ("admin", "internal", "public")]
        password = f"--bootstrap-password={kept.administrator}"
        run(*manage, "bootstrap", password, *addresses, f"--bootstrap-region-id={REGION}")
        _start_keystone(layout, background, keystone)
        synced.result()
    background.wait("rabbit", START_SECONDS, lambda: listens(RABBIT_PORT))
    background.start("neutron", ["neutron-server", *_files(*neutron)])


def wait_for_neutron(background: Background) -> None:
    """Return when Neutron's server answers."""
    background.wait("neutron", START_SECONDS, lambda: answers(f"http://127.0.0.1:{NEUTRON_PORT}/"))


def listens(port: int) -> bool:
    """Say whether somebody listens at a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Say whether a URL answers, whatever it says."""
    try:
        httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def _start_database(layout: Layout, background: Background) -> None:
    data, socket_path = layout.runtime / "mariadb", _socket(layout)
    options = ("--no-defaults", f"--datadir={data}", "--user=root")
    run("mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db")
    fast = (
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--skip-log-bin",
        "--performance-schema=off",
    )
    place = (f"--socket={socket_path}", f"--pid-file={layout.runtime}/mariadb.pid", "--skip-networking")
    words = ("--character-set-server=utf8", "--collation-server=utf8_general_ci", "--max-connections=300")
    background.start("mariadb", ["mariadbd", *options, *place, *fast, *words, f"--tmpdir={layout.runtime}"])
    client = ("mariadb", "--no-defaults", f"--socket={socket_path}", "--user=root")

    def is_up() -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(socket_path) == 0

    background.wait("mariadb", START_SECONDS, is_up)
    for name in ("keystone", "neutron"):
        run(*client, "--execute", f"CREATE DATABASE {name} CHARACTER SET utf8")


def _rabbit(layout: Layout) -> dict[str, str]:
    home = layout.runtime / "rabbit"
    home.mkdir()
    configuration = layout.etc("rabbitmq.conf")
    configuration.parent.mkdir(parents=True, exist_ok=True)
    listeners = enumerate(("127.0.0.1", str(controller_address().ip)), 1)
    configuration.write_text(
        "".join(f"listeners.tcp.{number} = {host}:{RABBIT_PORT}\n" for number, host in listeners)
        + "loopback_users = none\nlog.console = true\nlog.console.level = warning\nlog.file = false\n"
        "disk_free_limit.absolute = 50MB\n"
    )
    plugins = layout.etc("rabbit_plugins")
    plugins.write_text("[].\n")
    return {
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(EPMD_PORT),
        "RABBITMQ_NODENAME": "lab@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
    }


def _keystone(layout: Layout) -> str:
    keys = layout.runtime / "keystone"
    return write_ini(
        layout,
        "keystone/keystone.conf",
        {
            "DEFAULT": {"use_stderr": "true"},
            "database": {"connection": _database_url(layout, "keystone")},
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
            "identity": {"password_hash_rounds": 4},
            "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
        },
    )


def _start_keystone(layout: Layout, background: Background, configuration: str) -> None:
    server = write_ini(
        layout,
        "keystone/uwsgi.ini",
        {
            "uwsgi": {
                "plugins": "python3",
                "http-socket": f"127.0.0.1:{KEYSTONE_PORT}",
                "buffer-size": 65535,
                "master": "true",
                "lazy-apps": "true",
                "die-on-term": "true",
                "enable-threads": "true",
                "processes": 1,
                "threads": 4,
                "add-header": "Connection: close",
                "wsgi-file": "/usr/bin/keystone-wsgi-public",
            }
        },
    )
    place = {"OS_KEYSTONE_CONFIG_DIR": configuration.rpartition("/")[0], "OS_KEYSTONE_CONFIG_FILES": "keystone.conf"}
    background.start("keystone", ["uwsgi_python3", "--ini", server], place)
    background.wait("keystone", START_SECONDS, lambda: answers(AUTH_URL))


def _neutron(layout: Layout, kept: Secrets) -> tuple[str, str]:
    state = layout.runtime / "neutron"
    state.mkdir()
    main = write_ini(
        layout,
        "neutron/neutron.conf",
        {
            "DEFAULT": {
                "bind_host": "127.0.0.1",
                "bind_port": NEUTRON_PORT,
                "core_plugin": "ml2",
                "service_plugins": "router",
                "auth_strategy": "keystone",
                "transport_url": queue_url("127.0.0.1"),
                "state_path": state,
                "api_paste_config": "/etc/neutron/api-paste.ini",
                "api_workers": 1,
                "rpc_workers": 1,
                "rpc_state_report_workers": 1,
                "agent_down_time": 75,
                "dhcp_agents_per_network": 1,
                "global_physnet_mtu": 1500,
                "notify_nova_on_port_status_changes": "false",
                "notify_nova_on_port_data_changes": "false",
            },
            "database": {"connection": _database_url(layout, "neutron"), "max_pool_size": 10},
            "experimental": {"linuxbridge": "true"},
            "oslo_concurrency": {"lock_path": state / "lock"},
            "keystone_authtoken": {
                "www_authenticate_uri": AUTH_URL,
                "auth_url": AUTH_URL,
                "auth_type": "password",
                "project_domain_id": "default",
                "user_domain_id": "default",
                "project_name": "service",
                "username": "neutron",
                "password": kept.service,
                "service_token_roles_required": "true",
            },
        },
    )
    plugin = write_ini(
        layout,
        "neutron/ml2.ini",
        {
            "ml2": {
                "type_drivers": "flat,vxlan",
                "tenant_network_types": "vxlan",
                "mechanism_drivers": "linuxbridge,l2population",
                "extension_drivers": "port_security",
                "path_mtu": 1500,
            },
            "ml2_type_flat": {"flat_networks": PHYSICAL_NETWORK},
            "ml2_type_vxlan": {"vni_ranges": "1000:1999"},
            "securitygroup": {"enable_ipset": "true"},
        },
    )
    return main, plugin


def _files(*paths: str) -> tuple[str, ...]:
    return tuple(word for path in paths for word in ("--config-file", path))


def _socket(layout: Layout) -> str:
    return str(layout.runtime / "mariadb.socket")


def _database_url(layout: Layout, name: str) -> str:
    return f"mysql+pymysql://root@localhost/{name}?unix_socket={_socket(layout)}"
