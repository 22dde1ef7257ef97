"""Layer 3 on OpenStack: networks, subnets, routers and security groups of a tenant's own project."""
