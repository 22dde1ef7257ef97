"""Platforma: a white-label, multi-tenant cloud with tenant isolation at six independent layers."""

__version__ = "0.1.0"
