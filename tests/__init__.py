"""Tests of Platforma. They mirror `src/`, and each folder below is a package."""
