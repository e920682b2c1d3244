"""Files with a place in the patient: NIfTI by nibabel (RAS turned into LPS), the rest by SimpleITK (LPS)."""

from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError, ImageError
from scalebridge.io.stored import need, reading
from scalebridge.registration.slide import Slide, flat_frame

_TO_MM = {"mm": 1.0, "micron": 1e-3, "meter": 1e3, "unknown": 1.0}
_LPS = np.diag([-1.0, -1.0, 1.0])


def open_nifti(file: Path, argument: str) -> Slide:
    """NIfTI: its affine takes samples to RAS+; the first two axes are turned for LPS.

    A header that says no orientation (both codes 0) gives plain axes and a remark: by convention such a file
    would be mirrored, and nobody means that.
    """
    nibabel = need("nibabel", extra="registration", purpose="reading a NIfTI file")
    with reading(file, "NIfTI"):
        stored = nibabel.load(file)
        values = np.asarray(stored.dataobj)
    header, remarks = stored.header, []
    values = (
        values.reshape(values.shape[:3])
        if values.ndim > 3 and values.size == np.prod(values.shape[:3])
        else values
    )
    unit = header.get_xyzt_units()[0]
    if unit == "unknown":
        remarks.append(f"{file.name} says no unit of length; millimetres, as is usual, were taken")
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        remarks.append(
            f"{file.name} says no orientation (sform and qform codes 0); axes were taken as they are"
        )
        affine = np.diag([*header.get_zooms()[:2], *(header.get_zooms()[2:3] or (1.0,)), 1.0]).astype(float)
    else:
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stored.affine
    affine = affine * np.array([[_TO_MM[unit]]] * 3 + [[1.0]])
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return _placed(
        file,
        values,
        affine[:3, 3],
        spacing,
        affine[:3, :3] / np.where(spacing > 0, spacing, 1.0),
        argument,
        remarks,
    )


def open_itk(file: Path, argument: str, has_pixel: bool) -> Slide:
    """NRRD, MetaImage and DICOM through SimpleITK, which gives LPS."""
    sitk = need("SimpleITK", extra="itk", purpose=f"reading a {file.suffix} file")
    with reading(file, file.suffix[1:].upper()):
        image = sitk.ReadImage(str(file))
    _refuse_unmeasured(file, image, argument, has_pixel)
    return _slide_of(file, image, argument)


def _slide_of(file: Path, image: Any, argument: str) -> Slide:
    """A SimpleITK image, x first."""
    sitk = need("SimpleITK", extra="itk", purpose="reading an image")
    values = sitk.GetArrayFromImage(image)
    axes = image.GetDimension()
    values = np.transpose(values, [*range(axes - 1, -1, -1), *range(axes, values.ndim)])
    origin, spacing = np.zeros(3), np.ones(3)
    directions = np.eye(3)
    origin[:axes], spacing[:axes] = image.GetOrigin(), image.GetSpacing()
    directions[:axes, :axes] = np.array(image.GetDirection()).reshape(axes, axes)
    return _placed(file, values, origin, spacing, directions, argument, [])


def open_dicom_series(folder: Path, argument: str) -> Slide:
    """A folder of DICOM slices as one volume; its slices must be one series at equal distances."""
    sitk = need("SimpleITK", extra="itk", purpose="reading a DICOM series")
    with reading(folder, "DICOM series"):
        series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        if len(series) != 1:
            raise ValueError(
                f"it has {len(series)} series; put the one that is meant into a folder of its own"
            )
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])
        image = sitk.ReadImage(files)
    return _slide_of(folder, image, argument)


def _refuse_unmeasured(file: Path, image: Any, argument: str, has_pixel: bool) -> None:
    """SimpleITK gives 1 mm where a DICOM header says nothing."""
    if file.suffix.lower() != ".dcm" or has_pixel:
        return
    if not any(image.HasMetaDataKey(key) for key in ("0028|0030", "0018|1164", "0018|2010")):
        raise ImageError(
            f"{argument}_pixel",
            got=f"'{file.name}' without Pixel Spacing",
            wanted="a pixel size",
            cure=f"pass {argument}_pixel='0.1 mm'",
        )


def _placed(
    file: Path,
    values: np.ndarray,
    origin: np.ndarray,
    spacing: np.ndarray,
    directions: np.ndarray,
    argument: str,
    remarks: list[str],
) -> Slide:
    colours = values.ndim in (3, 4) and values.shape[-1] in (3, 4) and values.dtype == np.uint8
    shape = values.shape[:-1] if colours else values.shape
    if len(shape) not in (2, 3):
        raise FileFormatError(
            argument,
            got=f"'{file.name}' of shape {values.shape}",
            wanted="a plane or a volume",
            cure="take one time or one component",
        )
    if len(shape) == 3 and shape[2] == 1:
        values, shape = values[:, :, 0], shape[:2]
    frame, said = flat_frame(shape, origin, spacing, directions, argument)
    values = np.ascontiguousarray(values)

    def read(level: int, box: tuple[tuple[int, int], ...]) -> np.ndarray:
        return values[tuple(slice(a, b) for a, b in box)]

    channels = values.shape[-1] if colours else 0
    return Slide(file.name, frame, (shape,), channels, values.dtype, read, (*remarks, *said))
