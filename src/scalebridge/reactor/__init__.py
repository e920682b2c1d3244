"""Reactor: pin lattices, transport, homogenised regions, and the coarse core that they are handed to."""
