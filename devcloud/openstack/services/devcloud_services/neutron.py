"""Neutron: networks, routers and security groups, with its RPC inside the API process."""

import importlib.util
import os
import sys
from pathlib import Path

from devcloud_services import messaging

DEFAULT_RULES = "2023.2/expand/c33da356b165_security_group_default_rules.py"


def prepare(runtime):
    os.environ["OS_NEUTRON_CONFIG_DIR"] = str(runtime.etc)
    os.environ["OS_NEUTRON_CONFIG_FILES"] = runtime.configuration.name
    sys.argv = ["neutron-api"]
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)


def make_application(runtime):
    messaging.wake_at_once()
    if runtime.is_new():
        runtime.create_databases("neutron")
        _make_database(runtime)
    from neutron.wsgi.api import application

    return application


def _make_database(runtime):
    """Make the schema from the models, as Neutron's unit tests do.

    The migrations alter constraints, which SQLite cannot. They would also have put in the rules that
    every new security group begins with.
    """
    import neutron
    import sqlalchemy
    from neutron.db.migration.models import head

    metadata = head.get_metadata()
    engine = sqlalchemy.create_engine(f"sqlite:///{runtime.database('neutron')}")
    metadata.create_all(engine)
    versions = Path(neutron.__path__[0]) / "db/migration/alembic_migrations/versions"
    spec = importlib.util.spec_from_file_location("default_rules", versions / DEFAULT_RULES)
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    attributes = metadata.tables["standardattributes"].insert()
    rules = metadata.tables["securitygroupdefaultrules"].insert()
    with engine.begin() as connection:
        for template in migration.default_template_rules:
            rule = dict(template)
            standard = connection.execute(
                attributes.values(
                    resource_type="securitygroupdefaultrules",
                    description=rule.pop("description"),
                    revision_number=0,
                )
            )
            connection.execute(rules.values(standard_attr_id=standard.inserted_primary_key[0], **rule))
    engine.dispose()
    runtime.databases_are_made()
