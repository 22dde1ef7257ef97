"""Tests of the packet lab's parts that touch no wire."""
