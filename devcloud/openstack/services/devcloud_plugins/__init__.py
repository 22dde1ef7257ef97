"""The three drivers that stand in for a hypervisor, a switch and disks."""
