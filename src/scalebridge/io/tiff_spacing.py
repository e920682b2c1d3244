"""Voxel sizes in TIFF metadata: OME, ImageJ, and the plain resolution tags."""

from typing import Any

import tifffile

from scalebridge.io.spacing import is_length, metres_per

Spacing = tuple[dict[str, float], str | None, str]

# Image editors and screens write these into every file; they say nothing about a microscope.
_PRINT_RESOLUTIONS = {72.0, 96.0, 100.0, 150.0, 200.0, 300.0, 600.0}
_NO_SIZE = "its TIFF tags hold no voxel size"


def tiff_spacing(tiff: tifffile.TiffFile) -> Spacing:
    """Return the spacing by axis letter, its unit or None, and a remark on what is missing."""
    if tiff.ome_metadata:
        return _ome(tiff.ome_metadata)
    tags = {tag.name: tag.value for tag in tiff.pages[0].tags}  # type: ignore[union-attr]
    if tiff.is_imagej:
        return _imagej(tiff.imagej_metadata or {}, tags)
    return _resolution(tags)


def _ome(xml: str) -> Spacing:
    """OME-XML, PhysicalSizeX, -Y, -Z; the schema's default unit is the micrometre."""
    images = tifffile.xml2dict(xml)["OME"].get("Image", {})
    pixels: dict[str, Any] = (images[0] if isinstance(images, list) else images).get("Pixels", {})
    spacing = {}
    for letter in "xyz":
        size = pixels.get(f"PhysicalSize{letter.upper()}")
        unit = str(pixels.get(f"PhysicalSize{letter.upper()}Unit", "µm"))
        if size is not None and is_length(unit):
            spacing[letter] = float(size) * metres_per(unit, "PhysicalSizeUnit")
    return spacing, "m", "its OME metadata lack the physical size of an axis"


def _imagej(metadata: dict[str, Any], tags: dict[str, Any]) -> Spacing:
    """ImageJ: pixels per unit in the resolution tags, slice distance and unit in the description.

    ImageJ leaves the slice distance out when it is 1; that is only believed when x and y are 1 as well.
    """
    unit = str(metadata.get("unit", "")).replace("\\u00B5", "µ")
    if not is_length(unit):
        return {}, None, f"ImageJ's unit is '{unit or 'pixel'}', so the image is not calibrated"
    spacing = _pixel_sizes(tags)
    if "spacing" in metadata:
        spacing["z"] = float(metadata["spacing"])
    elif spacing.get("x") == spacing.get("y") == 1:
        spacing["z"] = 1.0
    return spacing, unit, "its ImageJ metadata give no distance between slices"


def _resolution(tags: dict[str, Any]) -> Spacing:
    """Plain TIFF: only with a unit that was written, and never a printer's resolution."""
    unit = {2: "inch", 3: "cm"}.get(int(tags.get("ResolutionUnit", 0)))
    if unit is None:
        return {}, None, _NO_SIZE
    spacing = _pixel_sizes(tags)
    per_inch = {round((1 if unit == "inch" else 2.54) / size, 1) for size in spacing.values()}
    if per_inch & _PRINT_RESOLUTIONS:
        return {}, None, f"its resolution of {max(per_inch):g} per inch is a printer's, not a voxel size"
    return spacing, unit, "its TIFF tags give no distance between slices"


def _pixel_sizes(tags: dict[str, Any]) -> dict[str, float]:
    """Pixel edge lengths from the rationals XResolution and YResolution (pixels per unit)."""
    sizes = {}
    for letter in "xy":
        pixels, units = tags.get(f"{letter.upper()}Resolution", (0, 1))
        if pixels > 0 and units > 0:
            sizes[letter] = units / pixels
    return sizes
