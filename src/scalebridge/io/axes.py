"""Stored axes to image axes: which stored axis is x, y, z, and what must not be there."""

from scalebridge.core.errors import ImageError, InputError

_LETTERS = "xyzct"


def settle_axes(shape: tuple[int, ...], stored: str, asked: str | None) -> str:
    """Decide the letter of every stored axis.

    Axes of length one that are not x or y are left out of the image, so that a stack of one slice is a 2-D
    image with axes (x, y).

    Args:
        shape: lengths of the stored axes.
        stored: letters that the file or its format's custom gives, one an axis.
        asked: the caller's `axes` argument, or None. It names all stored axes, or those longer than one.

    Returns:
        one letter a stored axis: x, y, z, or "-" for an axis of length one to be dropped.

    Raises:
        InputError: `asked` is not a naming of the axes.
        ImageError: what is left are not the axes of one grey or label image.

    Example:
        >>> settle_axes((5, 4, 3), "zyx", None), settle_axes((1, 4, 3), "zyx", None)
        ('zyx', '-yx')
        >>> settle_axes((1, 5, 4, 3), "tcyx", "zyx")
        '-zyx'
    """
    letters = stored if asked is None else _asked_letters(shape, asked)
    dropped = "".join(
        "-" if length == 1 and letter not in "xy" else letter
        for letter, length in zip(letters, shape, strict=True)
    )
    left = dropped.replace("-", "")
    if sorted(left) not in (["x", "y"], ["x", "y", "z"]):
        raise _refusal(shape, letters, left)
    return dropped


def image_axes(letters: str) -> tuple[int, ...]:
    """Return the stored axes in image order (x, y, z), for a transposition after the dropped ones are gone.

    Example:
        >>> image_axes("-zyx")
        (2, 1, 0)
    """
    left = letters.replace("-", "")
    return tuple(left.index(letter) for letter in sorted(left))


def _asked_letters(shape: tuple[int, ...], asked: str) -> str:
    letters = asked.lower()
    longer = [index for index, length in enumerate(shape) if length > 1]
    known = (
        letters != "" and all(letter in _LETTERS for letter in letters) and len(set(letters)) == len(letters)
    )
    if known and len(letters) == len(shape):
        return letters
    if known and len(letters) == len(longer):
        by_axis = dict(zip(longer, letters, strict=True))
        return "".join(by_axis.get(index, "-") for index in range(len(shape)))
    raise InputError(
        "axes",
        got=repr(asked),
        wanted=f"one different letter of 'xyz' (c, t for axes of length one) for each axis of shape {shape}",
        cure="write the axes as stored, slowest first: axes='zyx' for a stack of slices",
    )


def _refusal(shape: tuple[int, ...], letters: str, left: str) -> ImageError:
    stored = f"shape {shape} with axes '{letters}'"
    if "c" in left:
        return ImageError(
            "path",
            got=f"a colour or several-component image, {stored}",
            wanted="one number a voxel",
            cure="convert it to a grey or label image, save one channel, or pass axes='zyx' if the axis is z",
        )
    if "t" in left:
        return ImageError(
            "path",
            got=f"an image with a time or unknown axis, {stored}",
            wanted="the axes x, y, z",
            cure="pass axes='zyx' if its frames are slices, else save one frame",
        )
    return ImageError(
        "axes",
        got=stored,
        wanted="an image with the axes x, y or x, y, z",
        cure="pass axes= with one letter a stored axis, slowest first, for example axes='zyx'",
    )
