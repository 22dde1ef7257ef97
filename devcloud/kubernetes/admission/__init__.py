"""What stands between a permitted write and the store, in the order of the real API server's plugins."""

from devcloud.kubernetes.admission.chain import Admission
from devcloud.kubernetes.admission.write import Write

__all__ = ["Admission", "Write"]
