"""The packet lab: Platforma's own tenants on Neutron's real agents, and what reaches whom, counted in frames.

`make lab`; see docs/lab.md.
"""
