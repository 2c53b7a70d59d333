"""Samples from committed tables, in an order that depends on seed and epoch alone."""
