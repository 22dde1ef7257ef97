"""A cloud that is down, slow or wrong, on request: loopback proxies between a client and OpenStack.

    with faulty_cloud(read_credentials(state)) as cloud:
        client = connect(cloud.credentials)           # any client, unchanged
        cloud["nova"].inject(LoseAnswer(), "POST", r"/servers$")
        ...                                           # the server is made; the client hears nothing

One proxy stands before each service, and Keystone's also rewrites the catalogue in its answers so that
it names the proxies: whoever signs in at `cloud.credentials.auth_url` goes through them for everything.
Nothing else is rewritten, and `Host` goes through as the client sent it, so the links that services
build from it stay on the proxies too. The services talk to one another directly, so a fault is only
ever between the client and the cloud.
"""

from devcloud.openstack.faults.cloud import FaultyCloud, faulty_cloud
from devcloud.openstack.faults.kinds import Answer, Delay, Drop, Fault, Hold, Injection, LoseAnswer, Seen
from devcloud.openstack.faults.proxy import FaultProxy

__all__ = [
    "Answer",
    "Delay",
    "Drop",
    "Fault",
    "FaultProxy",
    "FaultyCloud",
    "Hold",
    "Injection",
    "LoseAnswer",
    "Seen",
    "faulty_cloud",
]
