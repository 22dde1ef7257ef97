"""Layer 6: white-label portals, each bound to its own host names."""
