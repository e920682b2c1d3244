"""Hand permeabilities up and check them: Stokes flow through an assembly against Darcy flow through blocks.

Four kinds of cells, each a square lattice of discs of its own radius, are laid side by side as blocks of a
few cells. The fine answer is Stokes flow through all pores of the assembly; the coarse one is Darcy flow
through four blocks with the permeabilities of their cells. What is left between the two is the flow near the
seams of the blocks, which the cells do not know.

Run: python examples/coarse_darcy.py
"""

import argparse

import numpy as np

import scalebridge as sb

RADII = ((0.24, 0.36), (0.32, 0.28))  # of the discs, relative to the cell
EDGE = 10.0  # of a cell, um
FINE = 32  # parts of a block along an edge, for the coarse solver: its own error is 6e-4 then
AGREED = 0.015  # measured: 0.8, 0.3 and 0.5 % with blocks of 1, 2 and 3 cells an edge


def cell(radius: float, voxels: int) -> np.ndarray:
    """Return the pores of a cell with a disc in its middle."""
    x, y = (np.indices((voxels, voxels)) + 0.5) / voxels - 0.5
    return x**2 + y**2 > radius**2


def compare(cells: int, voxels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return fine and coarse permeability along x and y of 2 x 2 blocks of cells x cells each."""
    voxel = f"{EDGE / voxels} um"
    handed_up = np.zeros((2, 2, 2, 2))
    for i, j in np.ndindex(2, 2):
        handed_up[:, :, i, j] = sb.permeability(cell(RADII[i][j], voxels), voxel=voxel).value
    blocks = [[np.tile(cell(radius, voxels), (cells, cells)) for radius in row] for row in RADII]
    fine = sb.permeability(np.block(blocks), voxel=voxel, rtol=1e-4)
    refined = np.repeat(np.repeat(handed_up, FINE, axis=2), FINE, axis=3)
    width = f"{EDGE * cells / FINE} um"
    coarse = [
        sb.darcy_flow(refined, voxel=width, driving=tuple(force), viscosity=1.0).mean_velocity[axis]
        for axis, force in enumerate(np.eye(2))
    ]
    return np.diagonal(fine.value), np.array(coarse)


def main() -> None:
    """Print the two answers for blocks of growing size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, default=20, help="voxels an edge of a cell")
    parser.add_argument("--most", type=int, default=2, help="cells an edge of the largest block")
    chosen = parser.parse_args()
    gaps = []
    for cells in range(1, chosen.most + 1):
        fine, coarse = compare(cells, chosen.voxels)
        gaps.append(float(np.max(np.abs(coarse / fine - 1))))
        shown = ", ".join(f"{1e12 * k:.4f}" for k in (*fine, *coarse))
        print(f"blocks of {cells} x {cells} cells: fine, coarse {shown} um^2, {gaps[-1]:.2%} apart")
    np.testing.assert_allclose(gaps, 0.0, atol=AGREED)


if __name__ == "__main__":
    main()
