"""The command line, as its people run it."""
