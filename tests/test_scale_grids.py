"""Scales on grids in a plane and in space: orthonormal, those of isotropic wavelets, found in made values."""

import numpy as np
import pytest

import scalebridge as sb
from cli_helpers import invoke
from scalebridge.inference.scale_bases import make_basis
from scalebridge.inference.scale_grids import make_grid_basis
from scalebridge.report.scales_section import make_scales_section


@pytest.mark.parametrize("basis", ["wavelet", "fourier", "polynomial", "blocks"])
@pytest.mark.parametrize("shape", [(8, 16), (4, 6, 4)])
def test_columns_are_orthonormal_and_without_the_constant(basis, shape):
    found = make_grid_basis(basis, shape, "haar", "periodic", 2 if basis == "polynomial" else None)
    count = int(np.prod(shape))
    np.testing.assert_allclose(found.columns.T @ found.columns, np.eye(found.columns.shape[1]), atol=1e-12)
    np.testing.assert_allclose(found.columns.sum(axis=0), 0.0, atol=1e-11)
    assert np.all(np.diff(found.owner) >= 0)
    assert found.sizes.min() > 0
    if basis != "polynomial":
        assert found.columns.shape == (count, count - 1)


@pytest.mark.filterwarnings("ignore:Level value")  # of filters longer than the coarsest scale, meant here
def test_scales_of_wavelets_are_those_of_isotropic_ones():
    pywt = pytest.importorskip("pywt")
    found = make_grid_basis("wavelet", (16, 16), "db2", "periodic", None)
    values = np.random.default_rng(0).standard_normal((16, 16))
    parts = pywt.wavedec2(values, "db2", mode="periodization", level=4)
    energies = [sum(float(np.sum(d**2)) for d in details) for details in parts[1:]]
    own = (found.columns.T @ values.ravel()) ** 2
    ours = [own[found.owner == scale].sum() for scale in range(len(found.names))]
    np.testing.assert_allclose(ours, energies, rtol=1e-10)


def test_one_thick_axis_is_the_line():
    line = make_basis("fourier", 16, None, levels=3)
    grid = make_grid_basis("fourier", (16, 4), "db4", "periodic", 3)
    values = np.sin(np.arange(16.0))
    thick = np.repeat(values[:, None], 4, axis=1)
    one = [np.sum((line.columns[:, line.owner == s].T @ values) ** 2) for s in range(3)]
    two = [np.sum((grid.columns[:, grid.owner == s].T @ thick.ravel()) ** 2) for s in range(3)]
    np.testing.assert_allclose(two, 4.0 * np.array(one), rtol=1e-10)


def made(shape=(16, 16)):
    """Waves 1 along the first axis and waves 2-3 along the second, in noise of a half."""
    x, y = np.meshgrid(*(np.arange(n) / n for n in shape[:2]), indexing="ij")
    values = np.sin(2 * np.pi * x) + 0.8 * np.cos(2 * np.pi * 3 * y)
    values = np.broadcast_to(values.reshape(*shape[:2], *(1,) * (len(shape) - 2)), shape)
    return values + 0.5 * np.random.default_rng(0).standard_normal(shape)


# In space waves 2-3 have some 160 coefficients, which cost more in BIC than this signal is worth.
@pytest.mark.parametrize(("shape", "criterion"), [((16, 16), "bic"), ((16, 12, 4), "aic")])
def test_the_true_scales_of_a_grid_are_found(shape, criterion):
    found = sb.select_scales(made(shape), "fourier", criterion=criterion, resamples=10, folds=4)
    assert found.selected == ("waves 1", "waves 2-3")
    assert found.shape == shape
    truth = made(shape) - 0.5 * np.random.default_rng(0).standard_normal(shape)
    error = float(np.sqrt(np.mean((found.fitted.reshape(shape) - truth) ** 2)))
    # The fit's error is that of its coefficients: noise times the root of their share of the values.
    assert error < 0.5 * 1.2 * np.sqrt(found.choice.unknowns / found.count)
    section = make_scales_section(found, 1)
    assert "plane" not in section.title
    assert all(picture.markup for block in section.blocks for picture in block.pictures)


def test_a_case_with_a_grid(tmp_path):
    (tmp_path / "map.csv").write_text("k\n" + "\n".join(map(str, made().ravel())), encoding="utf-8")
    text = (
        'task = "scales"\ntable = "map.csv"\nvalue = "k"\nshape = [16, 16]\n'
        '[select]\nbasis = "fourier"\nresamples = 0\n[output]\nreport = "map.html"\n'
    )
    (tmp_path / "case.toml").write_text(text, encoding="utf-8")
    done = invoke("scales", str(tmp_path / "case.toml"))
    assert done.exit_code == 0, done.output + done.stderr
    assert "waves 1, waves 2-3" in done.output
    assert "contributions about the middle" in (tmp_path / "map.html").read_text(encoding="utf-8")
    (tmp_path / "case.toml").write_text(text.replace("[16, 16]", "[16, 15]"), encoding="utf-8")
    wrong = invoke("scales", str(tmp_path / "case.toml"))
    assert wrong.exit_code == 2
    assert "a grid of 256 values" in wrong.stderr


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (np.zeros((80, 80)), {}, "at most 4096"),
        (np.zeros((2, 2, 2, 2)), {}, "two or three axes"),
        (np.zeros((2, 20)), {}, "4 or more"),
        (made(), {"block": 4}, "with blocks"),
        (made(), {"at": np.arange(256)}, "with positions"),
        (made(), {"models": {"a": (made(), 1)}}, "with models"),
    ],
)
def test_what_cannot_be_is_refused(values, options, words):
    with pytest.raises(sb.InputError, match=words):
        sb.select_scales(values, "fourier", **options)
