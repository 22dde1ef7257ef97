"""What `make up` runs: the product beside an embedded PostgreSQL and an embedded OpenStack, with demo tenants."""
