"""Fusion of sensors at several resolutions into one estimate at the finest, with its uncertainty."""
