"""The operator's plane: its own host, its own sign-in, its own database role."""
