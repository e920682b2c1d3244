"""Unit-cell models and the plain functions that answer with them."""
