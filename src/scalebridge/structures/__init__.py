"""Coarse models that take what the cells hand up."""
