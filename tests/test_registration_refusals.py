"""What `register` and `warp` refuse, with the argument at fault and a cure, before any long work."""

import numpy as np
import pytest

import scalebridge as sb
from registration_samples import turned_map
from scalebridge.registration.frame import Frame
from scalebridge.registration.spatial_image import SpatialImage

GOOD = np.add.outer(np.arange(40.0), np.arange(32.0) ** 2)
FRAME = Frame((40, 32), (0.0, 0.0), (1.0, 1.0))
IMAGE = SpatialImage(GOOD, FRAME)
MIRRORED = SpatialImage(GOOD, Frame((40, 32), (0.0, 0.0), (1.0, 1.0), ((-1.0, 0.0), (0.0, 1.0))))
ELSEWHERE = SpatialImage(np.ones((40, 32)), Frame((40, 32), (5.0, 0.0), (1.0, 1.0)))

ROWS = [
    ("no pixel size", {"fixed": GOOD}, "fixed_pixel"),
    ("pixel size without a unit", {"fixed": GOOD, "fixed_pixel": "0.5"}, "fixed_pixel"),
    ("pixel size of a weight", {"fixed": GOOD, "fixed_pixel": "1 kg"}, "fixed_pixel"),
    ("negative pixel size", {"fixed": GOOD, "fixed_pixel": "-1 um"}, "fixed_pixel"),
    ("three pixel sizes for a plane", {"fixed": GOOD, "fixed_pixel": "1 um, 1 um, 1 um"}, "fixed_pixel"),
    ("pixel size twice", {"fixed_pixel": "1 mm"}, "fixed_pixel"),
    ("no such file", {"fixed": "nowhere.tif"}, "fixed"),
    ("a row", {"moving": np.arange(9.0), "moving_pixel": "1 mm"}, "moving"),
    ("text", {"moving": np.array([["a", "b"]]), "moving_pixel": "1 mm"}, "moving"),
    ("complex numbers", {"moving": GOOD + 1j, "moving_pixel": "1 mm"}, "moving"),
    ("a volume", {"moving": np.ones((8, 8, 8)), "moving_pixel": "1 mm"}, "moving"),
    ("not a number", {"moving": np.where(GOOD > 9, np.nan, GOOD), "moving_pixel": "1 mm"}, "moving"),
    ("constant image", {"moving": np.ones((40, 32)), "moving_pixel": "1 mm"}, "moving"),
    ("constant where the mask is", {"fixed_mask": GOOD == 5.0}, "fixed_mask"),
    ("mask of another shape", {"fixed_mask": np.ones((4, 4))}, "fixed_mask"),
    ("transposed mask", {"fixed_mask": np.ones((32, 40))}, "fixed_mask"),
    ("mask of text", {"moving_mask": np.full((40, 32), "yes")}, "moving_mask"),
    ("mask of labels", {"moving_mask": np.full((40, 32), 7)}, "moving_mask"),
    ("negative weights", {"moving_mask": np.full((40, 32), -0.5)}, "moving_mask"),
    ("mask that is not finite", {"moving_mask": np.full((40, 32), np.nan)}, "moving_mask"),
    ("empty mask", {"moving_mask": np.zeros((40, 32), bool)}, "moving_mask"),
    ("mask in another place", {"fixed_mask": ELSEWHERE}, "fixed_mask"),
    ("left and right exchanged in a header", {"moving": MIRRORED}, "directions"),
    ("start that folds everything", {"start": np.zeros((2, 3))}, "start"),
    ("no overlap", {"start": [[1, 0, 1e4], [0, 1, 0]]}, "start"),
    ("start of another shape", {"start": np.eye(4)}, "start"),
    ("no angles", {"angles": 0}, "angles"),
    ("half an angle", {"angles": 0.5}, "angles"),
    ("too few bins", {"bins": 4}, "bins"),
    ("no stiffness", {"stiffness": 0.0}, "stiffness"),
    ("stiffness of text", {"stiffness": "soft"}, "stiffness"),
    ("unknown treatment of damage", {"damage": "mend"}, "damage"),
    ("unknown similarity", {"similarity": "correlation"}, "similarity"),
    ("similarity of a number", {"similarity": 3}, "similarity"),
    ("flip of text", {"flip": "both"}, "flip"),
    ("finest of time", {"finest": "2 s"}, "finest"),
    ("landmarks without partners", {"landmarks": (np.zeros((3, 2)), np.zeros((4, 2)))}, "landmarks"),
    ("landmarks in space", {"landmarks": (np.zeros((3, 3)), np.zeros((3, 3)))}, "landmarks"),
]


@pytest.mark.parametrize(("given", "argument"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_bad_input_is_refused(given, argument):
    call = {"fixed": IMAGE, "moving": IMAGE} | given
    with pytest.raises(sb.InputError) as caught:
        sb.register(call.pop("fixed"), call.pop("moving"), **call)
    assert caught.value.argument == argument
    assert caught.value.cure


def test_frames_that_cannot_be():
    for spacing, directions in (((0.0, 1.0), ()), ((1.0, 1.0), ((1.0, 0.5), (0.0, 1.0)))):
        with pytest.raises(sb.ImageError):
            Frame((4, 4), (0.0, 0.0), spacing, directions)


def test_points_and_warps_that_cannot_be(tmp_path):
    found = turned_map()
    image = SpatialImage(np.ones((9, 9)), Frame((9, 9), (0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(sb.InputError, match="interpolation"):
        sb.warp(found, image, interpolation="cubic")
    with pytest.raises(sb.InputError, match="out"):
        sb.warp(found, image, out=tmp_path / "a.png")
    with pytest.raises(sb.ResourceError):
        sb.warp(found, image, pixel="0.01 um")


def test_truncated_and_alien_files(tmp_path):
    import tifffile

    path = tmp_path / "whole.tif"
    tifffile.imwrite(path, np.zeros((256, 256), np.uint8), metadata=None)
    broken = tmp_path / "broken.tif"
    broken.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(sb.FileFormatError, match=r"truncated|cannot be read"):
        sb.register(broken, IMAGE, fixed_pixel="1 um")
    with pytest.raises(sb.ImageError, match="pixel"):
        sb.register(path, IMAGE)
    text = tmp_path / "picture.png"
    text.write_text("not a picture", encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match="cannot be read"):
        sb.register(text, IMAGE, fixed_pixel="1 um")
    alien = tmp_path / "notes.docx"
    alien.write_text("x", encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match="no known kind"):
        sb.register(alien, IMAGE)
