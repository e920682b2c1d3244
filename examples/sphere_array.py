"""Conducting spheres on a simple cubic lattice, held against the multipole solution of that geometry.

The two discretisations bracket the answer for the voxels; the voxels themselves are a staircase around a
sphere, whose error falls with their size.
"""

import numpy as np

import scalebridge as sb

# Volume fraction 0.3, spheres ten times as conductive as the matrix: multipoles to order 25, the problem that
# R. C. McPhedran and D. R. McKenzie, Proc. R. Soc. Lond. A 359 (1978) 45, and A. S. Sangani and A. Acrivos,
# Proc. R. Soc. Lond. A 386 (1983) 263, solve.
PUBLISHED = 1.8877401
CELLS = 32
# Relative error times voxels along an axis, as measured at 16 to 48 voxels (docs/accuracy.md), rounded up.
LARGEST = {"hexahedra": 1.3, "finite-volume": 0.5}


def main() -> None:
    """Solve with both discretisations, and hold each against the published number."""
    image = sb.sphere_lattice("sc", CELLS, volume_fraction=0.3)
    result = sb.effective_conductivity(image, {0: 1.0, 1: 10.0}, scheme="both", progress=False)
    bracket = result.bounds["discretisation"]
    found = {"hexahedra": bracket.upper, "finite-volume": bracket.lower}
    for scheme, tensor in found.items():
        error = tensor[0, 0] / PUBLISHED - 1.0
        print(f"{scheme:<14} {tensor[0, 0]:.6f}   {error:+.2%} of the published {PUBLISHED}")
        np.testing.assert_allclose(tensor[0, 0], PUBLISHED, rtol=LARGEST[scheme] / CELLS)
        # Cubic symmetry: the tensor is a multiple of the identity, to the solver's tolerance.
        np.testing.assert_allclose(tensor, tensor[0, 0] * np.eye(3), atol=1e-6 * PUBLISHED)
    if not np.all(np.linalg.eigvalsh(bracket.upper - bracket.lower) > 0):
        raise SystemExit("finite volumes have to lie below hexahedra")
    print(f"{sum(result.stats['steps'])} iterations for three directions; {len(result.checks)} checks passed")


if __name__ == "__main__":
    main()
