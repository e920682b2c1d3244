"""The representative volume of an image, as what each integration point of a structure asks."""

from collections.abc import Mapping, Sequence
from typing import Any

from scalebridge.cells.image_input import Threshold, as_image
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_inputs import parse_laws
from scalebridge.cells.path_settings import PathSettings
from scalebridge.cells.response_path import cell_of
from scalebridge.laws.path_law import PathLaw


def representative_volume(
    image: Any,
    laws: Mapping[Any, PathLaw | str],
    *,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    settings: PathSettings | None = None,
) -> PathCell:
    """Make the representative volume that is solved at each point of a structure.

    Args:
        image: a VoxelImage, an integer array, or a path; as in `response_along_path`.
        laws: law of each label, "*" for all labels not named; "void" for a pore.
        voxel: edge length of a voxel with its unit; overrules the file.
        threshold: for grey images.
        settings: tolerances and limits; `PathSettings()` unless given.

    Returns:
        a `PathCell`, for `solve_structure`.

    Raises:
        InputError: an image or a law cannot be right.

    Cost: each answer that is not elastic takes some five evaluations of the laws and some hundred steps of
        conjugate gradients; state: 3 numbers a voxel and, with plasticity, 56 more, in two banks.

    Example:
        >>> import numpy as np
        >>> from scalebridge.laws.constitutive_law import constitutive_law
        >>> law = constitutive_law("plastic", young="70 GPa", poisson=0.3, yield_stress="100 MPa")
        >>> representative_volume(np.zeros((2, 2, 2), int), {0: law}, voxel="1 um").finite
        False
    """
    read = as_image(image, voxel=voxel, threshold_at=threshold)
    return cell_of(read, parse_laws(laws, read), PathSettings() if settings is None else settings)
