"""PMAXS files: what is written is read back, columns are where readers look for them."""

import numpy as np
import pytest

from lattice_samples import C5G7, TWO_GROUPS, small_lattice, two_group_table
from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.reactor.homogenize_lattice import homogenize_lattice
from scalebridge.reactor.pmaxs import STATE, read_pmaxs, write_pmaxs
from scalebridge.reactor.solve_core import solve_core
from scalebridge.reactor.solve_transport import solve_transport

COARSE = {"azimuths": 4, "spacing": 0.3, "rtol": 1e-4}


@pytest.fixture(scope="module")
def seven():
    return solve_transport(small_lattice(("U G", "4 W")), C5G7, **COARSE)


@pytest.mark.parametrize("starts", [(0,), (0, 4), (0, 2, 4, 6)])
def test_what_is_written_is_read(seven, starts, tmp_path):
    constants = homogenize_lattice(seven, regions="lattice", groups=starts, diffusion="in-scatter")
    factors = np.linspace(0.9, 1.1, len(starts))
    path = write_pmaxs(tmp_path / "a.PMAX", constants, discontinuity=factors, state={"PC": 0.0}, energy=3e-11)
    found = read_pmaxs(path, energy=3e-11)
    for key, value in found.table.items():
        assert np.allclose(value, getattr(constants, key)[0], rtol=1e-5, atol=1e-12), key  # six digits
    assert np.allclose(found.discontinuity, factors, rtol=1e-5)
    assert found.state == {**STATE, "PC": 0.0}


def test_the_file_has_the_rows_that_a_reader_counts(seven, tmp_path):
    constants = homogenize_lattice(seven, regions="lattice", groups=(0, 4))
    lines = write_pmaxs(tmp_path / "a.PMAX", constants).read_text().splitlines()
    assert lines[0][:8] == "GLOBAL_V"
    assert (lines[0][63], len(lines[0])) == ("F", 64)  # whether branches are derivatives: by its column
    assert [line.split()[0] for line in lines[7:14]] == [
        "STA_VAR", "BRANCHES", "RE", "BURNUPS", "1", "XS_SET", "HISTORYC",
    ]  # fmt: skip
    assert len(lines) == 18  # spectrum, branch, rates, scattering
    assert all(len(line) == 12 * n for line, n in zip((lines[14], *lines[16:]), (2, 8, 4), strict=True))
    down = float(lines[17][24:36])  # arrival in group 2, departure from group 1
    assert down == pytest.approx(constants.scatter[0, 0, 1], rel=1e-5)


def test_the_constants_of_a_file_go_into_a_core(tmp_path):
    solution = solve_transport(two_group_table(), TWO_GROUPS, azimuths=8, spacing=0.2)
    constants = homogenize_lattice(solution, regions="lattice")
    table = read_pmaxs(write_pmaxs(tmp_path / "a.PMAX", constants)).table
    core = solve_core([["A"]], {"A": table}, pitch=2.4, boundary="reflective", mesh_error=False)
    assert core.k == pytest.approx(solution.multiplication, rel=3e-5)  # six digits, and the iteration


@pytest.mark.parametrize(
    ("starts", "options", "argument"),
    [
        (None, {}, "groups"),
        ((0, 4), {"region": 1}, "region"),
        ((0, 4), {"discontinuity": np.ones((4, 2))}, "discontinuity"),
        ((0, 4), {"discontinuity": [1.0, -1.0]}, "discontinuity"),
        ((0, 4), {"state": {"XX": 1.0}}, "state.XX"),
        ((0, 4), {"state": {"TF": -1.0}}, "state.TF"),
    ],
)
def test_what_the_format_cannot_hold(seven, starts, options, argument, tmp_path):
    constants = homogenize_lattice(seven, regions="lattice", groups=starts)
    with pytest.raises(InputError) as caught:
        write_pmaxs(tmp_path / "a.PMAX", constants, **options)
    assert caught.value.argument == argument
    assert not list(tmp_path.iterdir())


def test_files_that_are_none(seven, tmp_path):
    path = write_pmaxs(tmp_path / "a.PMAX", homogenize_lattice(seven, regions="lattice", groups=(0, 4)))
    whole = path.read_text()
    for text in (
        "",
        "words",
        whole[:-20],
        whole.replace(" F", " T", 2),
        whole.replace("HISTORYC", "HISTORY"),
    ):
        path.write_text(text)
        with pytest.raises(FileFormatError):
            read_pmaxs(path)
