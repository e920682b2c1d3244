"""Voxel images, regular periodic grids, and the discrete operators on them. Knows no physics."""
