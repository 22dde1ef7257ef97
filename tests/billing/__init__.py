"""Metering, prices and invoices."""
