"""Passing by statistics: hierarchies, screened sampling, which scales matter."""
