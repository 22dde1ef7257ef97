"""Platforma: a white-label, multi-tenant cloud with tenant isolation at six independent layers."""
