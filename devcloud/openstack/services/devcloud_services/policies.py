"""Loading a service's policy before its first request.

Keystone 30, Neutron 29 and Cinder 29 make their enforcer at the first request, without a lock, and
publish it before it is filled: concurrent first requests would be answered with spurious 403s.
"""

import importlib


def load(service):
    if service == "keystone":
        from keystone.common.rbac_enforcer import enforcer

        enforcer.RBACEnforcer()._enforcer.load_rules()
    elif service in ("neutron", "cinder", "nova"):
        importlib.import_module(f"{service}.policy").init()
