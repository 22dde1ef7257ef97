"""The operator's plane: its own host, process, sign-in and database role."""
