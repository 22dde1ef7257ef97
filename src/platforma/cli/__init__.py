"""The command line, `platforma`: to run the processes, and for the operator's acts.

Exit codes: 0 done, 1 refused or failed, 2 the command line itself is wrong.
"""

from platforma.cli.main import main

__all__ = ["main"]
