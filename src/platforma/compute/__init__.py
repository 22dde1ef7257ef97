"""Servers, key pairs, and the catalogue of flavours and images that they are made of."""
