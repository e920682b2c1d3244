"""The images: a periodic cell with 30 spheres, and a laminate whose answer is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalebridge.grids.balls import spheres_image

_SPHERES = Path(__file__).resolve().parent / "data" / "rve_spheres.csv"
_LAMINATE = 16  # voxels an edge


@dataclass(frozen=True)
class Case:
    """One image with the conductivities of its labels 0 and 1."""

    name: str
    image: str
    size: int
    conductivities: tuple[float, float]


def sphere_labels(size: int) -> np.ndarray:
    """Return the cell with 30 spheres (label 1) on size³ voxels, sampled at voxel centres."""
    balls = np.loadtxt(_SPHERES, delimiter=",", skiprows=1)
    return spheres_image(balls[:, :3], balls[:, 3], size).labels


def laminate_labels() -> np.ndarray:
    """Return layers across x: label 1 in the middle half, so that both ends are alike."""
    labels = np.zeros((_LAMINATE,) * 3, dtype=np.uint8)
    labels[_LAMINATE // 4 : 3 * _LAMINATE // 4] = 1
    return labels


def laminate_exact(conductivities: tuple[float, float], *, periodic: bool) -> np.ndarray:
    """Return the diagonal of the laminate's tensor: harmonic mean across the layers, arithmetic mean along.

    Args:
        conductivities: of labels 0 and 1.
        periodic: False for potentials held one voxel before and behind the sample, between whose planes
            lies half a voxel more of the outer layer at each end.
    """
    counts = np.array([_LAMINATE // 2 + (0 if periodic else 1), _LAMINATE // 2])
    across = counts.sum() / np.sum(counts / np.asarray(conductivities))
    along = float(np.mean(conductivities))
    return np.array([across, along, along])


def write_images(folder: Path, sizes: list[int]) -> dict[str, Path]:
    """Write the images for all contenders to read, and return their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {f"rve{size}": sphere_labels(size) for size in sizes} | {"laminate": laminate_labels()}
    paths = {name: folder / f"{name}.npy" for name in images}
    for name, labels in images.items():
        np.save(paths[name], labels)
    return paths
