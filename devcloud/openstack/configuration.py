"""The six configuration files, written anew at each start from the state's settings.

The facts that are not in OpenStack's manuals stand as comments beside the option they explain.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from devcloud.openstack.layout import Layout
from devcloud.openstack.settings import Settings

Sections = Mapping[str, Mapping[str, object]]


def write_configuration(layout: Layout, settings: Settings, venv: Path) -> None:
    """Write every service's file into the state's `etc`, readable by its owner alone."""
    packaged = venv / "etc"
    writer = _Writer(layout, settings)
    writer.write("keystone", _keystone(writer))
    writer.write("placement", _placement(writer))
    writer.write("glance-api", _glance(writer, packaged))  # its WSGI module wants this very name
    writer.write("neutron", _neutron(writer, packaged))
    writer.write("cinder", _cinder(writer, packaged))
    writer.write("nova", _nova(writer))
    # Nova looks its paste file up beside its configuration.
    shutil.copy(packaged / "nova" / "api-paste.ini", layout.etc / "nova-api-paste.ini")


class _Writer:
    """What the six files share."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self.layout = layout
        self.settings = settings
        self.state = layout.state

    def write(self, name: str, sections: Sections) -> None:
        lines = []
        for section, options in sections.items():
            lines.append(f"[{section}]")
            lines.extend(f"{name} = {_text(value)}" for name, value in options.items())
            lines.append("")
        path = self.layout.etc / f"{name}.conf"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines))

    def database(self, name: str) -> dict[str, object]:
        return {
            "connection": f"sqlite:///{self.layout.databases / name}.db?timeout=60",
            # A disposable state need not survive a power cut.
            "sqlite_synchronous": False,
        }

    def log(self, service: str) -> dict[str, object]:
        return {"log_file": self.layout.log(service), "debug": False}

    def messaging(self, service: str) -> dict[str, object]:
        """For the services that have workers: API and workers talk inside their one process."""
        return {
            **self.log(service),
            "transport_url": "fake://",
            "host": "devcloud",
            "state_path": self.state / service,
        }

    def sign_in(self) -> dict[str, object]:
        """The service user, as which the services talk to each other."""
        return {
            "auth_type": "password",
            "auth_url": self.settings.auth_url,
            "username": "service",
            "password": self.settings.service_password,
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": self.settings.region,
        }

    def tokens(self) -> dict[str, object]:
        """How a service validates the tokens it is shown."""
        return {
            **self.sign_in(),
            "www_authenticate_uri": self.settings.auth_url,
            "interface": "public",
            "service_token_roles": "service",
            "service_token_roles_required": True,
        }

    def service_user(self) -> dict[str, object]:
        """Long operations outlive the tenant's token: send the service's own beside it."""
        return {**self.sign_in(), "send_service_user_token": True}

    def concurrency(self) -> dict[str, Mapping[str, object]]:
        return {
            "oslo_concurrency": {"lock_path": self.state / "lock"},
            "oslo_messaging_notifications": {"driver": "noop"},
        }


def _keystone(writer: _Writer) -> Sections:
    fernet = writer.state / "keystone" / "fernet"
    return {
        "DEFAULT": writer.log("keystone"),
        "database": writer.database("keystone"),
        # bcrypt's default costs a quarter of a second of each sign-in; nothing here needs guarding.
        "identity": {"password_hash_rounds": 4},
        "fernet_tokens": {"key_repository": fernet},
        "fernet_receipts": {"key_repository": fernet},
        "credential": {"key_repository": writer.state / "keystone" / "credential"},
        "token": {"provider": "fernet"},
        "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _placement(writer: _Writer) -> Sections:
    return {
        "DEFAULT": writer.log("placement"),
        "api": {"auth_strategy": "keystone"},
        "placement_database": {**writer.database("placement"), "sync_on_startup": True},
        "keystone_authtoken": writer.tokens(),
    }


def _glance(writer: _Writer, packaged: Path) -> Sections:
    glance = writer.state / "glance"
    return {
        "DEFAULT": {
            **writer.log("glance"),
            "enabled_backends": "local:file",
            "worker_self_reference_url": writer.settings.url_of("glance"),
            "node_staging_uri": f"file://{glance / 'staging'}",
        },
        "database": writer.database("glance"),
        "glance_store": {"default_backend": "local"},
        "local": {"filesystem_store_datadir": glance / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": glance / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": glance / "tasks"},
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": packaged / "glance" / "glance-api-paste.ini",
        },
        "keystone_authtoken": writer.tokens(),
        **writer.concurrency(),
    }


def _neutron(writer: _Writer, packaged: Path) -> Sections:
    return {
        "DEFAULT": {
            **writer.messaging("neutron"),
            "core_plugin": "ml2",
            "service_plugins": "router",
            "api_paste_config": packaged / "neutron" / "api-paste.ini",
            # There is no agent to schedule on, and Nova need not wait for the switch.
            "notify_nova_on_port_status_changes": False,
            "notify_nova_on_port_data_changes": False,
            "allow_automatic_dhcp_failover": False,
            "allow_automatic_l3agent_failover": False,
            "network_auto_schedule": False,
            "router_auto_schedule": False,
            "rpc_workers": 0,
            "global_physnet_mtu": 1500,
        },
        "ml2": {
            "mechanism_drivers": "devcloud",
            "type_drivers": "local,flat,vxlan",
            "project_network_types": "vxlan",
            "extension_drivers": "port_security",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:100000"},
        "ml2_type_flat": {"flat_networks": "*"},
        "database": writer.database("neutron"),
        "keystone_authtoken": writer.tokens(),
        **writer.concurrency(),
    }


def _cinder(writer: _Writer, packaged: Path) -> Sections:
    cinder = writer.state / "cinder"
    return {
        "DEFAULT": {
            **writer.messaging("cinder"),
            "enabled_backends": "pool",
            "default_volume_type": "__DEFAULT__",
            "api_paste_config": packaged / "cinder" / "api-paste.ini",
            "resource_query_filters_file": packaged / "cinder" / "resource_filters.json",
            "auth_strategy": "keystone",
            "glance_api_servers": writer.settings.url_of("glance"),
            "image_conversion_dir": cinder / "conversion",
        },
        "database": writer.database("cinder"),
        "pool": {
            "volume_driver": "devcloud_plugins.volumes.PoolDriver",
            "volume_backend_name": "pool",
            "volume_clear": "none",  # as a back end that skips it does; volume types say otherwise
        },
        "coordination": {"backend_url": f"file://{cinder / 'coordination'}"},
        "nova": {"interface": "public", **writer.sign_in()},
        "service_user": writer.service_user(),
        "keystone_authtoken": writer.tokens(),
        **writer.concurrency(),
    }


def _nova(writer: _Writer) -> Sections:
    return {
        "DEFAULT": {
            **writer.messaging("nova"),
            # Nova looks drivers up under nova.virt; the compute service puts ours there.
            "compute_driver": "devcloud_hypervisor.Driver",
            "my_ip": "127.0.0.1",
            "reserved_host_memory_mb": 0,
            "allow_resize_to_same_host": True,
            "sync_power_state_interval": -1,
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
        },
        "api": {"auth_strategy": "keystone"},
        "api_database": writer.database("nova_api"),
        "database": writer.database("nova_cell1"),
        "glance": {"endpoint_override": writer.settings.url_of("glance")},
        "placement": {"valid_interfaces": "public", **writer.sign_in()},
        "neutron": {"valid_interfaces": "public", **writer.sign_in()},
        "cinder": {"catalog_info": "volumev3::publicURL", **writer.sign_in()},
        "service_user": writer.service_user(),
        "vnc": {"enabled": False},
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1},
        "workarounds": {"skip_cpu_compare_on_dest": True},
        "keystone_authtoken": writer.tokens(),
        **writer.concurrency(),
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
