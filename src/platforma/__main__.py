"""`python -m platforma` is `platforma`."""

from platforma.cli import main

main()
