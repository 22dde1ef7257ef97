"""Layer 5: what a tenant uses is metered, priced, invoiced and paid; no other tenant sees any of it."""
