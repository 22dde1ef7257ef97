"""Layer 1: who is calling, proven by a session that the server holds."""
