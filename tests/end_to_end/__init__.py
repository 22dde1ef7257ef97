"""The running product, as `make up` starts it, in a real browser."""
