"""Nova's own fake driver, with servers that survive a restart of the process."""

import io

from nova import context as nova_context
from nova import objects
from nova.compute import power_state, task_states, vm_states
from nova.image import glance
from nova.virt import fake

POWER_STATES = {
    vm_states.ACTIVE: power_state.RUNNING,
    vm_states.RESCUED: power_state.RUNNING,
    vm_states.PAUSED: power_state.PAUSED,
}
NOT_ON_A_HOST = (vm_states.BUILDING, vm_states.SHELVED_OFFLOADED, vm_states.DELETED)


class Driver(fake.FakeDriverWithoutFakeNodes):
    def init_host(self, host):
        """Know the servers that the database knows: the fake driver keeps its own in memory only."""
        super().init_host(host)
        for instance in objects.InstanceList.get_by_host(nova_context.get_admin_context(), host):
            if instance.vm_state not in NOT_ON_A_HOST:
                state = POWER_STATES.get(instance.vm_state, power_state.SHUTDOWN)
                self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)

    def detach_interface(self, context, instance, vif):
        """Detach it, also when it was attached before the restart and so is not in memory."""
        self._interfaces.pop(vif["id"], None)

    def snapshot(self, context, instance, image_id, update_task_state):
        """Upload a few bytes, where the fake driver would upload none and leave the image queued."""
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        update_task_state(
            task_state=task_states.IMAGE_UPLOADING,
            expected_state=task_states.IMAGE_PENDING_UPLOAD,
        )
        properties = {"disk_format": "raw", "container_format": "bare"}
        glance.API().update(context, image_id, properties, io.BytesIO(bytes(4096)))
