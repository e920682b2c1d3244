"""What is in an image file, as plain data: the findings of `scalebridge inspect`."""

import math
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.engine.progress import tallied
from scalebridge.grids.image import VoxelImage, slabs
from scalebridge.grids.percolation import Percolation, percolation
from scalebridge.grids.statistics import ImageStatistics, image_statistics, largest_phases
from scalebridge.grids.thresholds import otsu_threshold, threshold
from scalebridge.io.volume import Volume

SCHEMA = "scalebridge/inspection/1"
MOST_LABELS = 16  # a file with more distinct values is taken for grey values unless the caller knows better
_BINS = 32
_RARE = 1e-4  # a phase of less is more often noise than a phase


def segment(volume: Volume, at: Any, labelled: bool | None) -> VoxelImage | None:
    """Return the labels of a volume, or None if it holds grey values and no threshold is given.

    Args:
        volume: what was read.
        at: thresholds, "otsu", or None.
        labelled: whether the values are labels; None decides by how many different ones there are.
    """
    if at is not None:
        level = otsu_threshold(volume.data) if at == "otsu" else at
        found = threshold(volume.data, level, voxel=volume.voxel)
        return VoxelImage(found.labels, volume.voxel, periodic=False, source=dict(found.source))
    few = labelled is None and volume.data.dtype.kind in "iub" and _few_values(volume.data)
    if labelled or few:
        return VoxelImage(volume.data, volume.voxel, periodic=False, source=dict(volume.source))
    return None


def measure(
    image: VoxelImage | None, *, required: bool, dtype: str = "float64", show: bool | None = None
) -> ImageStatistics | None:
    """Return the statistics of an image's phases, with a progress bar; None for grey values.

    Args:
        image: the labels, None for grey values.
        required: whether grey values are refused.
        dtype: of the transforms.
        show: whether to draw the bar; None draws it on a terminal.

    Raises:
        ImageError: statistics are required of grey values.
    """
    if image is None:
        if required:
            cure = "pass --threshold, or --labels if the values are labels"
            raise ImageError("--statistics", got="grey values", wanted="an image of labels", cure=cure)
        return None
    labels = largest_phases(image)
    with tallied(len(labels), "measuring", show) as advance:
        return image_statistics(image, labels, dtype=dtype, done=lambda name: advance(1.0, name))


def summarise(
    volume: Volume, image: VoxelImage | None, statistics: ImageStatistics | None = None
) -> dict[str, Any]:
    """Return what an image holds: size, voxels, phases with their connection, or grey values, and warnings.

    Args:
        volume: what was read.
        image: its labels, None for grey values.
        statistics: of its phases, None when they were not asked for.
    """
    finite = _finite(volume.data)
    told: dict[str, Any] = {
        "schema": SCHEMA,
        **{key: volume.source.get(key) for key in ("path", "format", "sha256", "dataset")},
        "stored": {
            "shape": list(volume.source["shape"]),
            "axes": volume.source["axes"],
            "dtype": volume.source["dtype"],
        },
        "shape": list(volume.shape),
        "voxel": None if volume.voxel is None else list(volume.voxel),
        "voxel_from": volume.source.get("voxel_from"),
        "kind": "grey" if image is None else "labels",
        "range": [float(finite.min()), float(finite.max())],
    }
    if image is not None:
        told["content_sha256"] = image.content_hash()
        told["threshold"] = image.source.get("threshold")
        told["phases"] = [_phase(image, label) for label in image.phases]
    if image is None or told["threshold"] is not None:
        told["grey"] = {**_grey(finite), "not_finite": int(volume.data.size - finite.size)}
    if statistics is not None:
        told["statistics"] = statistics.to_dict()
    told["warnings"] = _warnings(volume, told) + _statistics_warnings(statistics)
    return told


def _few_values(data: np.ndarray) -> bool:
    found: set[Any] = set()
    for slab in slabs(data):
        found.update(np.unique(slab).tolist())
        if len(found) > MOST_LABELS:
            return False
    return True


def _phase(image: VoxelImage, label: int) -> dict[str, Any]:
    mask = image.labels == label
    return {
        "label": label,
        "voxels": image.counts[label],
        "fraction": image.fractions[label],
        "periodic": _connection(percolation(mask, periodic=True)),
        "box": _connection(percolation(mask, periodic=False)),
    }


def _connection(found: Percolation) -> dict[str, Any]:
    return {
        "percolates": list(found.directions),
        "clusters": found.clusters,
        "isolated_fraction": 1.0 - found.connected_fraction,
    }


def _finite(data: np.ndarray) -> np.ndarray:
    """Return the values that are numbers; the image itself where all are."""
    if data.dtype.kind != "f":
        return data
    found = np.isfinite(data)
    if not found.any():
        raise ImageError(
            "image", got="only NaN and infinite values", wanted="numbers", cure="check what wrote the file"
        )
    return data if found.all() else data[found]


def _grey(finite: np.ndarray) -> dict[str, Any]:
    low, high = float(finite.min()), float(finite.max())
    whole = finite.dtype.kind in "iub" and high - low < _BINS
    edges = np.arange(low, high + 2) - 0.5 if whole else np.linspace(low, high, _BINS + 1)
    counts = sum(np.histogram(slab, edges)[0] for slab in slabs(finite))
    cut = otsu_threshold(finite) if low < high else None
    return {
        "mean": float(finite.mean()),
        "std": float(finite.std()),
        "histogram": {"edges": edges.tolist(), "counts": np.asarray(counts).tolist()},
        "otsu": cut,
        "bright_fraction_at_otsu": None
        if cut is None
        else float(np.count_nonzero(finite > cut) / finite.size),
    }


def _warnings(volume: Volume, told: dict[str, Any]) -> list[str]:
    found = []
    if volume.voxel is None:
        remark = volume.source.get("remark", "the file does not say it")
        found.append(f"No voxel size: {remark}. Pass --voxel '3 um'; values with a unit need it.")
    if "direction" in volume.source:
        found.append("The header turns the axes; that is not applied: x, y, z are those of the voxels.")
    grey = told.get("grey")
    if grey and grey["not_finite"]:
        found.append(f"{grey['not_finite']} voxels are NaN or infinite; no threshold can take them.")
    if grey and told["kind"] == "grey":
        found.append(_grey_warning(volume, grey["otsu"]))
        return found
    return found + _phase_warnings(told["phases"])


def _statistics_warnings(statistics: ImageStatistics | None) -> list[str]:
    if statistics is None:
        return []
    found = []
    if statistics.left_out:
        number = len(statistics.left_out)
        found.append(f"Statistics are of the {len(statistics.phases)} largest phases; {number} are left out.")
    endless = [
        str(phase.label)
        for phase in statistics.phases.values()
        if phase.fraction < 1 and not math.isfinite(phase.correlation_length)
    ]
    if endless:
        found.append(
            f"Correlated as far as was measured: label {', '.join(endless)}. The image is too small to be a "
            "sample of a larger material, or it has a period."
        )
    return found


def _grey_warning(volume: Volume, otsu: float | None) -> str:
    if otsu is None:
        return "Every voxel has the same value."
    cure = "pass --labels" if volume.data.dtype.kind in "iub" else "save them as integers"
    return (
        f"Taken as grey values: a conductivity needs --threshold, for example {otsu:.6g} (Otsu). If they are "
        f"labels, {cure}."
    )


def _phase_warnings(phases: list[dict[str, Any]]) -> list[str]:
    found = []
    if len(phases) == 1:
        found.append(f"Only one label, {phases[0]['label']}: nothing to upscale.")
    for phase in phases:
        if phase["fraction"] < _RARE:
            found.append(f"Label {phase['label']} fills {phase['voxels']} voxels only: noise, or a phase?")
        seams = [
            "xyz"[axis]
            for axis, (box, periodic) in enumerate(
                zip(phase["box"]["percolates"], phase["periodic"]["percolates"], strict=True)
            )
            if box and not periodic
        ]
        if seams:
            found.append(
                f"Label {phase['label']} connects the faces along {', '.join(seams)}, but not where the "
                "image repeats itself: use --boundary mirrored."
            )
    return found
