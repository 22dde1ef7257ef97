"""Tests of layer 2, and the PostgreSQL server that all tests share."""
