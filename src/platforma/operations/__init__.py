"""Desired state: operations, the reconciler that carries them out, and the reaper behind it."""
