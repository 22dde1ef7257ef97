"""Layer 4: volumes that only their own tenant's servers can use."""
