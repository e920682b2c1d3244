"""Maps out and in: ITK (.tfm, .h5), ANTs (affine and warp), elastix parameters, dense fields, own JSON.

All of these take fixed points to moving points in millimetres and LPS, as the map does. ITK's B-spline is the
same cubic spline on the same control points, so nothing is resampled; dense fields are sampled on the fixed
grid. A map from a section into a volume is written as one of space onto space: what is off the section goes
along its normal.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.core.files import atomic_path, write_text
from scalebridge.io.stored import need, reading
from scalebridge.registration.composition import Chain, Inverse, linear_part
from scalebridge.registration.dense_field import DenseField
from scalebridge.registration.frame import Frame
from scalebridge.registration.registration_result import map_as_dict
from scalebridge.registration.section_pose import upright
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.spline import SplineGrid

_PURPOSE = "writing or reading ITK transforms"
_KINDS = (".tfm", ".h5", ".txt", ".nii.gz", ".nii", ".json", ".mat")
_PLANES_ONLY = (".txt", ".mat")


def write_map(found: SpatialMap | Chain, path: str | os.PathLike[str]) -> list[Path]:
    """Write a map in the format that the name says, and return the files.

    Args:
        found: the map, or several one after the other: .tfm, .h5 and .nii.gz.
        path: .tfm or .h5: ITK composite; .txt: elastix (a second file `*.spline.txt` beside it); .nii.gz:
            ITK's displacement field on the fixed grid; .mat: ANTs' affine, with its warp in
            `*1Warp.nii.gz`; .json. Of a section in a volume .txt and .mat are not written.

    Raises:
        InputError: another ending, or one that is not for sections in volumes.
        MissingExtraError: SimpleITK is not installed, for .tfm, .h5, .mat and fields.
    """
    file = Path(path)
    if isinstance(found, Chain):
        return [_write_chain(found, file)]
    kind = check_kind(file, found.axes > found.frame.size)
    if kind == ".json":
        return [write_text(file, json.dumps(_jsonable(map_as_dict(found)), indent=1) + "\n")]
    if kind == ".txt":
        return _write_elastix(found, file)
    sitk = need("SimpleITK", extra="itk", purpose=_PURPOSE)
    if kind in (".tfm", ".h5"):
        return [_write_transform(sitk, itk_transform(found, sitk), file)]
    if kind == ".mat":
        warp = _warp_beside(file)
        straight = SpatialMap(
            np.eye(found.axes), np.zeros(found.axes), found.frame, found.grid, found.coefficients
        )
        return [_write_transform(sitk, _affine(found, sitk), file), _write_field(sitk, straight, warp)]
    return [_write_field(sitk, found, file)]


def _warp_beside(file: Path) -> Path:
    """ANTs' warp of an affine file: X0GenericAffine.mat has X1Warp.nii.gz."""
    return file.with_name(re.sub(r"(0GenericAffine)?\.mat$", "1Warp.nii.gz", file.name))


def _write_chain(found: Chain, file: Path) -> Path:
    if not file.name.endswith((".tfm", ".h5", ".nii.gz")):
        raise InputError(
            "map", got=file.name, wanted=".tfm .h5 .nii.gz", cure="choose a format for several maps in order"
        )
    sitk = need("SimpleITK", extra="itk", purpose=_PURPOSE)
    if file.name.endswith(".nii.gz"):
        return _write_field(sitk, found, file)
    if any(isinstance(part, Inverse) for part in found.links):
        raise InputError(
            "map", got=f"an inverse as {file.name}", wanted=".nii.gz", cure="write a dense field"
        )
    parts = [
        itk_transform(p, sitk) if isinstance(p, SpatialMap) else p.transform
        for p in found.links
        if not isinstance(p, Inverse)
    ]
    whole = sitk.CompositeTransform(parts[::-1])  # the last one is applied first
    whole.FlattenTransform()
    return _write_transform(sitk, whole, file)


def check_kind(file: Path, in_volume: bool = False) -> str:
    """Return the ending that says the format, or refuse it; see `write_map`."""
    kinds = [kind for kind in _KINDS if not (in_volume and kind in _PLANES_ONLY)]
    kind = next((k for k in kinds if file.name.endswith(k)), None)
    if kind is None:
        raise InputError("map", got=file.name, wanted=" ".join(kinds), cure="choose the format by the ending")
    return kind


def _jsonable(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _jsonable(value) for key, value in told.items()}
    return [_jsonable(value) for value in told] if isinstance(told, tuple | list) else told


def itk_transform(found: SpatialMap, sitk: Any) -> Any:
    """The map as ITK's composite: affine after spline (the last one added is applied first)."""
    parts = [_affine(found, sitk)]
    if found.grid is not None and found.coefficients is not None:
        parts.append(_spline(found, found.grid, found.coefficients, sitk))
    return sitk.CompositeTransform(parts)


def _affine(found: SpatialMap, sitk: Any) -> Any:
    affine = sitk.AffineTransform(found.axes)
    affine.SetMatrix(found.matrix.ravel().tolist())
    affine.SetTranslation(found.shift.tolist())
    return affine


def _control_origin(frame: Frame, grid: SplineGrid) -> np.ndarray:
    """Point of the first control point."""
    first = np.array(grid.start) - np.array(grid.step)
    return np.array(frame.origin) + np.array(frame.directions) @ first


def _spline(found: SpatialMap, grid: SplineGrid, coefficients: np.ndarray, sitk: Any) -> Any:
    axes, frame = found.axes, found.frame
    count, origin, step = [*map(float, grid.count)], _control_origin(frame, grid).tolist(), [*grid.step]
    if axes > frame.size:  # one interval across the section, over which the spline does not change
        thick = float(frame.extent.max())
        count, origin, step = [*count, 4.0], [*origin, -1.5 * thick], [*step, thick]
        coefficients, frame = np.repeat(coefficients[:, :, None], 4, axis=2), in_space(frame)
    spline = sitk.BSplineTransform(axes, 3)
    turn = np.array(frame.directions).ravel().tolist()
    spline.SetFixedParameters([*count, *origin, *step, *turn])
    spline.SetParameters(np.concatenate([coefficients[..., c].T.ravel() for c in range(axes)]).tolist())
    return spline


def in_space(frame: Frame) -> Frame:
    """A section's grid as one of space, two samples deep from z = 0, since NIfTI takes one for a plane."""
    turn = np.eye(3)
    turn[:2, :2] = np.array(frame.directions)
    directions = tuple(tuple(map(float, row)) for row in turn)
    return Frame((*frame.shape, 2), (*frame.origin, 0.0), (*frame.spacing, max(frame.spacing)), directions)


def _write_transform(sitk: Any, transform: Any, file: Path) -> Path:
    with atomic_path(file) as part:
        sitk.WriteTransform(transform, str(part))
    return file


def _write_field(sitk: Any, found: SpatialMap | Chain, file: Path) -> Path:
    frame = found.frame if found.axes == found.frame.size else in_space(found.frame)
    mapped = found.on_grid(found.frame)
    if frame.size > found.frame.size:
        beside = mapped + upright(found.matrix[:, :2])[:, 2] * frame.spacing[2]
        mapped = np.stack([mapped, beside], axis=2)
    field = np.nan_to_num(mapped - frame.grid().reshape(*frame.shape, -1))  # where nothing is, nothing moves
    order = (*range(frame.size - 1, -1, -1), frame.size)
    image = sitk.GetImageFromArray(np.ascontiguousarray(np.transpose(field, order)), isVector=True)
    image.SetOrigin(frame.origin)
    image.SetSpacing(frame.spacing)
    image.SetDirection(np.array(frame.directions).ravel().tolist())
    # The temporary name must keep both endings, or NIfTI would not be recognised.
    part = file.with_name(f".{os.getpid()}.part.{file.name}")
    try:
        sitk.WriteImage(image, str(part), True)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file


def _write_elastix(found: SpatialMap, file: Path) -> list[Path]:
    """Affine on top, composed with the spline as its initial transform: elastix applies that one first."""
    written = []
    initial = "NoInitialTransform"
    if found.grid is not None and found.coefficients is not None:
        lower = file.with_name(file.name[: -len(".txt")] + ".spline.txt")
        grid, frame = found.grid, found.frame
        numbers = np.concatenate([found.coefficients[..., c].T.ravel() for c in range(2)])
        lines = {
            "Transform": "BSplineTransform",
            "GridSize": grid.count,
            "GridIndex": (0, 0),
            "GridSpacing": grid.step,
            "GridOrigin": _control_origin(frame, grid),
            "GridDirection": np.array(frame.directions).T.ravel(),
            "BSplineTransformSplineOrder": 3,
            "UseCyclicTransform": "false",
        }
        written.append(write_text(lower, _parameters(lines, numbers, "NoInitialTransform", found)))
        initial = str(lower.resolve())
    numbers = np.concatenate([found.matrix.ravel(), found.shift])
    lines = {"Transform": "AffineTransform", "CenterOfRotationPoint": (0.0,) * found.axes}
    return [write_text(file, _parameters(lines, numbers, initial, found)), *written]


def _parameters(lines: dict[str, Any], numbers: np.ndarray, initial: str, found: SpatialMap) -> str:
    frame = found.frame
    told = {
        "NumberOfParameters": len(numbers),
        "TransformParameters": numbers,
        "InitialTransformParametersFileName": initial,
        "InitialTransformParameterFileName": initial,
        "HowToCombineTransforms": "Compose",
        "FixedImageDimension": frame.size,
        "MovingImageDimension": found.axes,
        "FixedInternalImagePixelType": "float",
        "MovingInternalImagePixelType": "float",
        "Size": frame.shape,
        "Index": (0,) * frame.size,
        "Spacing": frame.spacing,
        "Origin": frame.origin,
        "Direction": np.array(frame.directions).T.ravel(),
        "UseDirectionCosines": "true",
        "ResampleInterpolator": "FinalBSplineInterpolator",
        "FinalBSplineInterpolationOrder": 1,
        "Resampler": "DefaultResampler",
        "DefaultPixelValue": 0,
        "ResultImageFormat": "nii.gz",
        "ResultImagePixelType": "float",
    }
    return "".join(f"({key} {_elastix_value(value)})\n" for key, value in (lines | told).items())


def _elastix_value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return " ".join(f"{v:.17g}" if isinstance(v, float) else str(v) for v in np.atleast_1d(value).tolist())


def read_map(path: str | os.PathLike[str], frame: Frame) -> SpatialMap | Chain:
    """Read a map that `write_map`, ITK, ANTs or elastix wrote.

    An affine one, or an affine after a cubic B-spline, comes back as it was; a dense field, and ANTs' affine
    with the warp beside it (X0GenericAffine.mat, X1Warp.nii.gz), come back as a chain.

    Args:
        path: .tfm, .h5, .mat, .nii.gz, .nii, .txt (elastix) or .json.
        frame: grid of the fixed image, a plane; .json has its own.

    Raises:
        FileFormatError: not such a file, or transforms of other kinds or in another order.
    """
    file = Path(path)
    if not file.is_file():
        raise FileFormatError(
            "path", got=f"'{file}', which does not exist", wanted="a transform", cure="check the path"
        )
    with reading(file, "transform"):
        if file.suffix == ".json":
            return _from_json(json.loads(file.read_text(encoding="utf-8")))
        if file.suffix == ".txt":
            return _read_elastix(file, frame)
        if file.name.endswith((".nii", ".nii.gz")):
            return Chain((DenseField.read(file),), frame)
        sitk = need("SimpleITK", extra="itk", purpose=_PURPOSE)
        found = _from_itk(sitk.ReadTransform(str(file)), frame, sitk)
        warp = _warp_beside(file)
        if file.suffix != ".mat" or not warp.is_file():
            return found
        return Chain((DenseField.read(warp), found), frame)


def _from_json(told: dict[str, Any]) -> SpatialMap:
    told = told.get("map", told)
    frame = Frame(**{k: tuple(map(_tupled, v)) for k, v in told["frame"].items()})
    grid = told["grid"] and SplineGrid(**{k: tuple(v) for k, v in told["grid"].items()})
    field = None if told["coefficients"] is None else np.array(told["coefficients"])
    return SpatialMap(np.array(told["matrix"]), np.array(told["shift"]), frame, grid, field)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _from_itk(transform: Any, frame: Frame, sitk: Any) -> SpatialMap:
    parts = [transform]
    if transform.GetTransformEnum() == sitk.sitkComposite:
        composite = sitk.CompositeTransform(transform)
        parts = [composite.GetNthTransform(i) for i in range(composite.GetNumberOfTransforms())]
    splines = [p for p in parts if p.GetTransformEnum() == sitk.sitkBSplineTransform]
    linear = [p for p in parts if p.GetTransformEnum() != sitk.sitkBSplineTransform]
    if len(splines) > 1 or (splines and parts[-1].GetTransformEnum() != sitk.sitkBSplineTransform):
        raise ValueError("more than one spline, or a spline after a linear map")
    axes = int(transform.GetDimension())
    matrix, shift = np.eye(axes), np.zeros(axes)
    for part in reversed(linear):  # the last one is applied first
        step, first = linear_part(part)
        matrix, shift = step @ matrix, step @ shift + first
    linear_map = SpatialMap(matrix, shift, frame)
    if not splines:
        return linear_map
    size, origin, step = np.array(splines[0].GetFixedParameters())[: 3 * axes].reshape(3, axes)
    return _with_spline(linear_map, size, origin, step, np.array(splines[0].GetParameters()))


def _with_spline(
    linear: SpatialMap, size: np.ndarray, origin: np.ndarray, step: np.ndarray, numbers: np.ndarray
) -> SpatialMap:
    frame, count = linear.frame, tuple(int(n) for n in size)
    first = (origin[:2] - np.array(frame.origin)) @ np.array(frame.directions) + step[:2]
    grid = SplineGrid(tuple(map(float, first)), tuple(map(float, step[:2])), count[:2])
    field = np.stack([part.reshape(count[::-1]).T for part in np.split(numbers, linear.axes)], axis=-1)
    if field.ndim == 4:
        if np.ptp(field, axis=2).max() > 1e-9:
            raise ValueError("a spline that changes across the section")
        field = field[:, :, 0]
    return SpatialMap(linear.matrix, linear.shift, frame, grid, field)


def _read_elastix(file: Path, frame: Frame) -> SpatialMap:
    told = _entries(file)
    matrix, shift, spline = np.eye(2), np.zeros(2), None
    while True:
        numbers = np.array(told["TransformParameters"], dtype=float)
        if told["Transform"] == ["AffineTransform"]:
            middle = np.array(told["CenterOfRotationPoint"], dtype=float)
            step = numbers[:4].reshape(2, 2)
            matrix, shift = matrix @ step, matrix @ (numbers[4:] + middle - step @ middle) + shift
        elif told["Transform"] == ["BSplineTransform"] and spline is None:
            spline = told
        else:
            raise ValueError(f"a transform of kind {told['Transform']}")
        below = told.get("InitialTransformParametersFileName", ["NoInitialTransform"])[0]
        if below == "NoInitialTransform":
            break
        if spline is not None:
            raise ValueError("a transform below a spline")
        other = Path(below)
        told = _entries(other if other.is_file() else file.with_name(other.name))
    linear = SpatialMap(matrix, shift, frame)
    if spline is None:
        return linear
    size, origin, step = (
        np.array(spline[key], dtype=float) for key in ("GridSize", "GridOrigin", "GridSpacing")
    )
    return _with_spline(linear, size, origin, step, np.array(spline["TransformParameters"], dtype=float))


def _entries(file: Path) -> dict[str, list[str]]:
    found = re.findall(r"^\((\w+) (.*)\)\s*$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {key: [word.strip('"') for word in value.split()] for key, value in found}
