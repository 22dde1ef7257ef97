"""Drills: one wall at a time is taken from a disposable copy, to see that the others hold and that it is noticed."""
