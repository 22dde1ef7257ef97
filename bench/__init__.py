"""What Platforma costs, measured as ratios: both sides of each run on this machine, in turns, in one run.

`python -m bench` prints a table and writes `bench/results.json`. Nothing here is asserted by a test.
"""
