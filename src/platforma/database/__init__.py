"""Layer 2: every row belongs to one tenant, and no query can say otherwise."""
