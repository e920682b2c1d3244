"""Reactor lattices: multigroup transport, and the constants handed up to a coarse core.

Conventions, said once for this folder. Lengths are in cm and macroscopic cross-sections in 1/cm, as in
every library of this field; texts with a unit ("1.26 cm") are accepted wherever a length is. Group 0 is the
fastest. Scattering is [order, from, to], without the factor 2 l + 1. Maps are written as they are seen, the
first row at the top (north); arrays of pins are (ny, nx, ...) with that row first. Faces of a pin are in the
order west, east, south, north, and currents through them are positive outward. Fluxes are scalar fluxes, of a
fission source whose integral is one neutron a second and cm of height times k.
"""
