"""How the constituents of a result look in every picture and table: name and colour, the same throughout."""

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage
from scalebridge.report.canvas import phase_colours

_LABEL = re.compile(r"phase (-?\d+)")


@dataclass(frozen=True)
class Look:
    """One constituent.

    Args:
        key: its name among the inputs of the result, such as "phase 0".
        label: its label in the image, None where there is no image.
        name: the name that people read.
        colour: its colour as #rrggbb.
        fraction: volume fraction, None when unknown.
    """

    key: str
    label: int | None
    name: str
    colour: str
    fraction: float | None = None


def looks_of(result: Upscaled) -> dict[str, Look]:
    """Return the look of every constituent by its key, image phases first in the order of their labels.

    Inputs come with the name and the fraction that the caller gave; a phase of the image without an input
    takes the image's.
    """
    image = image_of(result)
    keys = [] if image is None else [f"phase {label}" for label in image.phases]
    keys += [key for key in result.inputs if key not in keys]
    colours = phase_colours(len(keys))
    return {key: _look(key, result, image, colour) for key, colour in zip(keys, colours, strict=True)}


def image_of(result: Upscaled) -> VoxelImage | None:
    """Return the voxel image that was upscaled, None when it was something else."""
    return result.subject if isinstance(result.subject, VoxelImage) else None


def by_label(looks: dict[str, Look]) -> dict[int, Look]:
    """Return the looks of an image's phases by label."""
    return {look.label: look for look in looks.values() if look.label is not None}


def subject_name(result: Upscaled) -> str:
    """Return what a reader would call the subject: the file's name, or what kind of thing it is."""
    described = result.provenance.inputs.get("image")
    for key in ("file", "path", "name", "generator", "kind"):
        found = described.get(key) if isinstance(described, dict) else None
        if isinstance(found, str) and found:
            return PurePath(found).name if key in ("file", "path") else found
    if image_of(result) is not None:
        return "the image"
    return "the laminate" if is_stack(result.subject) else "the medium"


def is_stack(subject: Any) -> bool:
    """Whether a subject is a stack of layers: thicknesses, and values or materials, one a layer."""
    return hasattr(subject, "thicknesses") and (hasattr(subject, "values") or hasattr(subject, "materials"))


def _look(key: str, result: Upscaled, image: VoxelImage | None, colour: str) -> Look:
    found = _LABEL.fullmatch(key)
    label = int(found[1]) if found and image is not None and int(found[1]) in image.phases else None
    given = result.inputs.get(key, {})
    fallback = image.name(label) if image is not None and label is not None else key
    fraction = given.get("fraction")
    if fraction is None and image is not None and label is not None:
        fraction = image.fractions[label]
    return Look(key, label, str(given.get("name") or fallback), colour, fraction)
