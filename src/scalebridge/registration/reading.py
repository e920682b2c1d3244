"""Files into slides: TIFF pyramids, Zarr, whole-slide formats, NIfTI, DICOM, NRRD, MetaImage, PNG, JPEG."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from matplotlib.image import imread

from scalebridge.core.errors import FileFormatError, ImageError
from scalebridge.io.format_tiff import check_chain, check_extent
from scalebridge.io.spacing import is_length, metres_per
from scalebridge.io.stored import need, reading
from scalebridge.io.tiff_spacing import tiff_spacing
from scalebridge.registration.frame import Frame
from scalebridge.registration.reading_volumes import open_dicom_series, open_itk, open_nifti
from scalebridge.registration.slide import Slide
from scalebridge.registration.spatial_image import SpatialImage, pixel_lengths

_WHOLE_SLIDES = (".svs", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif")
_OPENSLIDE_ALONE = (".mrxs", ".vms", ".vmu")  # several files a slide, which tiffslide does not read
_ITK = (".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
_TIFF = (".tif", ".tiff", ".btf")
_SMALL = 4_000_000  # numbers of a level that is read whole
_PICTURES = (".png", ".jpg", ".jpeg")


def read_spatial_image(path: Any, *, pixel: Any = None, argument: str = "image") -> SpatialImage:
    """Read an image with its place; of a pyramid only the level that a registration needs.

    Args:
        path: the file, or the folder of a Zarr group.
        pixel: distance of samples with its unit, where the file does not say; it overrules the file.
        argument: for errors.

    Raises:
        FileFormatError: no such file, an unknown kind, or one that is not whole.
        ImageError: no pixel size.
        MissingExtraError: a format whose package is not installed.
    """
    return open_slide(path, pixel=pixel, argument=argument).image()


def open_slide(path: Any, *, pixel: Any = None, argument: str = "image") -> Slide:
    """Open an image without reading its samples; arguments and errors are those of `read_spatial_image`."""
    file = Path(os.fspath(path))
    if not file.exists():
        raise FileFormatError(
            argument, got=f"'{file}', which does not exist", wanted="an image file", cure="check the path"
        )
    for fits, opener in _OPENERS:
        if fits(file):
            return opener(file, pixel, argument)
    raise FileFormatError(
        argument,
        got=f"'{file.name}', of no known kind",
        wanted="TIFF, OME-Zarr, SVS, NDPI, NIfTI, NRRD, MHA, DICOM, PNG or JPEG",
        cure="export it as OME-TIFF, or pass an array",
    )


def _named(*endings: str) -> Callable[[Path], bool]:
    return lambda file: file.name.lower().endswith(endings)


def _open_placed(file: Path, pixel: Any, argument: str) -> Slide:
    """Formats whose header has a place; a given pixel size overrules the file's."""
    if file.is_dir():
        return _rescaled(open_dicom_series(file, argument), pixel, argument)
    if _named(".nii", ".nii.gz")(file):
        return _rescaled(open_nifti(file, argument), pixel, argument)
    return _rescaled(open_itk(file, argument, pixel is not None), pixel, argument)


def _rescaled(slide: Slide, pixel: Any, argument: str) -> Slide:
    """A given pixel size overrules the file's."""
    if pixel is None:
        return slide
    lengths = pixel_lengths(pixel, slide.frame.size, argument)
    frame = Frame(slide.frame.shape, slide.frame.origin, lengths, slide.frame.directions)
    return Slide(slide.name, frame, slide.levels, slide.channels, slide.dtype, slide.read, slide.remarks)


def _open_picture(file: Path, pixel: Any, argument: str) -> Slide:
    lengths = pixel_lengths(pixel, 2, argument)
    with reading(file, file.suffix[1:].upper()):
        rows = imread(file)
    if rows.dtype.kind == "f":  # PNG comes as fractions
        rows = np.round(rows * 255).astype(np.uint8)
    values = np.ascontiguousarray(np.swapaxes(rows, 0, 1))
    channels = values.shape[2] if values.ndim == 3 else 0
    frame = Frame(values.shape[:2], (0.0, 0.0), lengths)
    return Slide(file.name, frame, (frame.shape,), channels, values.dtype, in_memory(values))


def in_memory(values: np.ndarray):
    """How a part of an array is read."""

    def read(level: int, box: tuple[tuple[int, int], ...]) -> np.ndarray:
        return values[tuple(slice(a, b) for a, b in box)]

    return read


def _open_tiff(file: Path, pixel: Any, argument: str) -> Slide:
    check_chain(file)
    with reading(file, "TIFF"), tifffile.TiffFile(file) as tiff:
        check_extent(tiff, file)
        series = tiff.series[0]
        spacing, unit, remark = tiff_spacing(tiff)
        origin, remarks = tiff_origin(tiff)
        axes, levels = series.axes, [tuple(level.shape) for level in series.levels]
    _refuse_stack(axes, levels[0], file, argument)
    lengths = _tiff_lengths(spacing, unit, pixel, argument, f"{file.name}: {remark}")
    x, y, c = axes.index("X"), axes.index("Y"), next((i for i, a in enumerate(axes) if a in "SC"), None)
    shapes = tuple((shape[x], shape[y]) for shape in levels)
    channels = 0 if c is None else levels[0][c]

    def read(level: int, box: tuple[tuple[int, int], ...]) -> np.ndarray:
        place: list[Any] = [0] * len(axes)
        place[x], place[y] = slice(*box[0]), slice(*box[1])
        if c is not None:
            place[c] = slice(None)
        with reading(file, "TIFF"), tifffile.TiffFile(file) as tiff:
            part = _part_of(tiff.series[0], level, tuple(place))
        kept = [i for i in range(len(axes)) if i in (x, y, c)]
        wanted = [kept.index(i) for i in (x, y, c) if i is not None]
        return np.transpose(part, wanted)

    frame = Frame(shapes[0], origin, lengths)
    return Slide(file.name, frame, shapes, channels, np.dtype(series.dtype), read, remarks)


def tiff_origin(tiff: tifffile.TiffFile) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Point of the first sample that OME metadata say of the first plane, mm, and remarks.

    OME's PositionX and PositionY; a unit that is no length (the schema's default is the microscope's own
    "reference frame") says nothing in millimetres, and leaves the origin at zero.
    """
    if not tiff.ome_metadata:
        return (0.0, 0.0), ()
    images = tifffile.xml2dict(tiff.ome_metadata)["OME"].get("Image", {})
    pixels = (images[0] if isinstance(images, list) else images).get("Pixels", {})
    planes = pixels.get("Plane", {})
    plane = planes[0] if isinstance(planes, list) else planes
    found, remarks = [], []
    for letter in "XY":
        place, unit = (
            plane.get(f"Position{letter}"),
            str(plane.get(f"Position{letter}Unit", "reference frame")),
        )
        if place is None:
            found.append(0.0)
        elif is_length(unit):
            found.append(1e3 * metres_per(unit, f"Position{letter}Unit") * float(place))
        else:
            found.append(0.0)
            remarks.append(f"Position{letter} of its plane is in '{unit}', no length, and was left out")
    return (found[0], found[1]), tuple(remarks)


def _part_of(series: Any, level: int, place: tuple[Any, ...]) -> np.ndarray:
    """A part of a level; of a large one only the tiles that it touches are read, through Zarr."""
    if int(np.prod(series.levels[level].shape)) < _SMALL:
        return series.levels[level].asarray()[place]
    zarr = need("zarr", extra="zarr", purpose="reading a part of a large TIFF file")
    with series.aszarr(level=level) as store:  # without a level a pyramid would be a group
        return np.asarray(zarr.open(store, mode="r")[place])


def _refuse_stack(axes: str, shape: tuple[int, ...], file: Path, argument: str) -> None:
    others = [n for letter, n in zip(axes, shape, strict=True) if letter not in "XYSC" and n > 1]
    if others or "X" not in axes or "Y" not in axes:
        raise ImageError(
            argument,
            got=f"'{file.name}' with axes {axes}, {shape}",
            wanted="one plane, grey or RGB",
            cure="export the slice that corresponds",
        )


def _tiff_lengths(
    spacing: Any, unit: str | None, pixel: Any, argument: str, remark: str
) -> tuple[float, float]:
    if pixel is not None:
        first, second = pixel_lengths(pixel, 2, argument)
        return first, second
    if unit is None or not {"x", "y"} <= set(spacing):
        raise ImageError(
            f"{argument}_pixel",
            got=remark,
            wanted="a pixel size",
            cure=f"pass {argument}_pixel='0.5 um'",
        )
    metres = metres_per(unit, f"{argument}_pixel")
    return 1e3 * metres * spacing["x"], 1e3 * metres * spacing["y"]


def _open_zarr(file: Path, pixel: Any, argument: str) -> Slide:
    zarr = need("zarr", extra="zarr", purpose="reading a Zarr group")
    with reading(file, "OME-Zarr"):
        root = zarr.open(str(file), mode="r")
        attributes = dict(root.attrs)
        images = attributes.get("ome", attributes).get("multiscales", [])
        if not images:
            raise ValueError("no multiscales in its attributes")
        scales = images[0]
        arrays = [root[entry["path"]] for entry in scales["datasets"]]
        letters = "".join(a["name"] if isinstance(a, dict) else a for a in scales["axes"]).lower()
        steps = scales["datasets"][0].get("coordinateTransformations", [])
        after = scales.get("coordinateTransformations", [])
        units = {a.get("unit") for a in scales["axes"] if isinstance(a, dict) and a["name"] in "xy"}
    sizes, moved = _zarr_place(steps, after, len(letters))
    unit = units.pop() if len(units) == 1 else None
    known = {} if sizes is None else dict(zip(letters, sizes, strict=True))
    lengths = _tiff_lengths(known, unit, pixel, argument, f"{file.name}: no scale with a unit")
    metres = 0.0 if unit is None else 1e3 * metres_per(unit, argument)
    _refuse_stack(letters.upper(), tuple(arrays[0].shape), file, argument)
    x, y, c = letters.index("x"), letters.index("y"), letters.find("c")
    shapes = tuple((a.shape[x], a.shape[y]) for a in arrays)

    def read(level: int, box: tuple[tuple[int, int], ...]) -> np.ndarray:
        place: list[Any] = [0] * len(letters)
        place[x], place[y] = slice(*box[0]), slice(*box[1])
        kept = [i for i in range(len(letters)) if i in (x, y, c)]
        if c >= 0:
            place[c] = slice(None)
        part = np.asarray(arrays[level][tuple(place)])
        return np.transpose(part, [kept.index(i) for i in (x, y, c) if i >= 0])

    frame = Frame(shapes[0], (moved[x] * metres, moved[y] * metres), lengths)
    return Slide(
        file.name, frame, shapes, arrays[0].shape[c] if c >= 0 else 0, np.dtype(arrays[0].dtype), read
    )


def _zarr_place(
    steps: list[dict[str, Any]], after: list[dict[str, Any]], axes: int
) -> tuple[list[float] | None, list[float]]:
    """Scale (None where none is said) and translation of the finest level: its own steps, then all's."""
    known, scale, moved = False, np.ones(axes), np.zeros(axes)
    for step in (*steps, *after):
        if step.get("type") == "scale":
            factor, known = np.array(step["scale"], dtype=float), True
            scale, moved = scale * factor, moved * factor
        elif step.get("type") == "translation":
            moved = moved + np.array(step["translation"], dtype=float)
    return (scale.tolist() if known else None), moved.tolist()


def _open_whole_slide(file: Path, pixel: Any, argument: str) -> Slide:
    """Whole-slide formats through tiffslide, or OpenSlide where tiffslide does not read the file."""
    kind = f"{file.suffix} slide"
    with reading(file, kind):
        opener, prefix = _whole_slide_opener(file, kind)
        with opener(file) as slide:
            shapes = tuple(tuple(int(n) for n in size) for size in slide.level_dimensions)
            sizes = [slide.properties.get(f"{prefix}.mpp-{axis}") for axis in "xy"]
    if pixel is not None:
        lengths = pixel_lengths(pixel, 2, argument)
    elif None in sizes:
        raise ImageError(
            f"{argument}_pixel", got=f"{file.name} without microns per pixel", wanted="a pixel size",
            cure=f"pass {argument}_pixel='0.25 um'",
        )  # fmt: skip
    else:
        lengths = tuple(1e-3 * float(size) for size in sizes)

    def read(level: int, box: tuple[tuple[int, int], ...]) -> np.ndarray:
        (x0, x1), (y0, y1) = box
        ratio = np.array(shapes[0]) / np.array(shapes[level])
        corner = (round(x0 * ratio[0]), round(y0 * ratio[1]))
        with reading(file, kind), opener(file) as slide:
            part = np.asarray(slide.read_region(corner, level, (x1 - x0, y1 - y0)))
        if part.shape[-1] == 4:  # tiles that were not scanned are transparent
            part = np.where(part[..., 3:] > 0, part[..., :3], np.uint8(255))
        return np.swapaxes(part[..., :3], 0, 1)

    return Slide(file.name, Frame(shapes[0], (0.0, 0.0), lengths), shapes, 3, np.dtype(np.uint8), read)


def _whole_slide_opener(file: Path, kind: str) -> tuple[Any, str]:
    """The class that opens a slide, and how it begins the names of properties."""
    if file.suffix.lower() not in _OPENSLIDE_ALONE:
        tiffslide = need("tiffslide", extra="registration", purpose=f"reading a {kind}")
        try:
            with tiffslide.TiffSlide(file):
                return tiffslide.TiffSlide, "tiffslide"
        except Exception:
            if find_spec("openslide") is None:
                raise
    openslide = need("openslide", extra="openslide", purpose=f"reading a {kind}")
    return openslide.OpenSlide, "openslide"


_OPENERS: tuple[tuple[Callable[[Path], bool], Callable[[Path, Any, str], Slide]], ...] = (
    (lambda file: file.is_dir() and any(file.glob("*.dcm")), _open_placed),
    (_named(".nii", ".nii.gz", *_ITK), _open_placed),
    (_named(*_WHOLE_SLIDES), _open_whole_slide),
    (_named(*_TIFF), _open_tiff),
    (_named(*_PICTURES), _open_picture),
    (lambda file: file.is_dir() or file.name.lower().endswith(".zarr"), _open_zarr),
)
