"""Continuous verification: the inventory of what can be attacked, and the oracle that judges the answers."""
