"""The plain-text headers of NRRD and MetaImage, as far as SimpleITK does not report them."""

from dataclasses import dataclass
from pathlib import Path

from scalebridge.core.errors import FileFormatError

_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class TextHeader:
    """Fields of a header (names in lower case), and where its samples are.

    Args:
        fields: value by field name.
        data_file: the file that holds the samples; the header's own file when they follow it.
        data_start: byte at which the samples start in `data_file`, at least.
        has_spacing: whether the header states a spacing at all.
        unit: the unit of the spacing, when all axes state the same one.
    """

    fields: dict[str, str]
    data_file: Path
    data_start: int
    has_spacing: bool
    unit: str | None


def nrrd_header(path: Path) -> TextHeader:
    """Read an NRRD header: "field: value" lines up to an empty one (NRRD format specification, teem)."""
    fields, length = _read_fields(path, ":", end="")
    data = fields.get("data file", fields.get("datafile"))
    units = {
        text.strip() for text in fields.get("space units", fields.get("units", "")).split('"') if text.strip()
    }
    skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
    has_spacing = "spacings" in fields or "space directions" in fields
    unit = units.pop() if len(units) == 1 else None
    own = data is None
    return TextHeader(fields, _beside(path, data), (length if own else 0) + max(skip, 0), has_spacing, unit)


def metaimage_header(path: Path) -> TextHeader:
    """Read a MetaImage header: "field = value" lines up to ElementDataFile. The format has no unit."""
    fields, length = _read_fields(path, "=", end="elementdatafile")
    data = fields.get("elementdatafile", "LOCAL")
    own = data.upper() == "LOCAL"
    skip = max(int(fields.get("headersize", "0")), 0)
    has_spacing = "elementspacing" in fields or "elementsize" in fields
    return TextHeader(
        fields, _beside(path, None if own else data), length if own else skip, has_spacing, None
    )


def _read_fields(path: Path, separator: str, end: str) -> tuple[dict[str, str], int]:
    """Return the fields and the header's length in bytes, its last line included."""
    fields: dict[str, str] = {}
    with path.open("rb") as stream:
        while stream.tell() < _LONGEST_HEADER:
            line = stream.readline(4096)
            text = line.decode("latin-1").strip()
            name, _, value = text.partition(separator)
            if text and not text.startswith("#"):
                fields[name.strip().lower()] = value.lstrip("=").strip()
            if not line or name.strip().lower() == end:
                return fields, stream.tell()
    raise ValueError("its header has no end")


def _beside(path: Path, data: str | None) -> Path:
    """Return the data file, which a header names relative to its own folder."""
    if data is None:
        return path
    if data.upper().startswith("LIST") or "%" in data:
        raise FileFormatError(
            "path",
            got=f"'{path.name}', whose samples are spread over several files ({data})",
            wanted="a header with one data file",
            cure="save the image as one .nrrd or .mha file",
        )
    return path.parent / data
