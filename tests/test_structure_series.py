"""Results in time as XDMF: read back by meshio, by VTK and as arrays; resumed runs go on with the series."""

import h5py
import meshio
import numpy as np
import pytest

from fe2_samples import BENT, BULK, FACTORS, HARDENING, SHEAR, YIELD, PlasticUnit
from scalebridge.cells.path_cell import PathCell
from scalebridge.core.errors import InputError
from scalebridge.io.xdmf import attributes, image_grid, write_time, write_xdmf
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.micro_fields import micro_fields
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

BAR = box_mesh((2.0, 1.0, 1.0), (2, 1, 1))


def frames_of(path):
    """Times, fields of nodes and of elements of a series, and its mesh, as meshio reads them."""
    with meshio.xdmf.TimeSeriesReader(path) as reader:
        places, cells = reader.read_points_cells()
        return [reader.read_data(k) for k in range(reader.num_steps)], places, cells


def opened_by_vtk(path, time):
    """The grid of a series at a time, as VTK reads it."""
    pytest.importorskip("vtkmodules")
    from vtkmodules.vtkIOXdmf2 import vtkXdmfReader

    reader = vtkXdmfReader()
    reader.SetFileName(str(path))
    reader.UpdateInformation()
    reader.UpdateTimeStep(time)
    found = reader.GetOutputDataObject(0)
    while found.IsA("vtkMultiBlockDataSet"):
        found = found.GetBlock(0)
    return found


def test_a_resumed_series_is_read_by_meshio_with_every_time(tmp_path):
    run = {"supports": BENT, "checkpoints": tmp_path / "kept", "results": tmp_path, "results_format": "xdmf"}
    solve_structure(BAR, PlasticUnit(), steps=FACTORS[:2], **run)
    study = solve_structure(BAR, PlasticUnit(), steps=FACTORS, resume=True, **run)
    frames, places, cells = frames_of(tmp_path / "series.xdmf")
    assert [time for time, _, _ in frames] == [record.time for record in study.records]
    np.testing.assert_array_equal(places, BAR.mesh.p.T)
    assert (cells[0].type, len(cells[0].data)) == ("hexahedron", 2)
    np.testing.assert_array_equal(frames[-1][1]["displacement"], study.displacement.T)
    means = study.by_element(study.equivalent_stress())
    np.testing.assert_allclose(frames[-1][2]["equivalent stress"][0], means, rtol=1e-12)  # order of adding
    assert frames[0][2]["stress"][0].shape == (2, 9)
    assert not list(tmp_path.glob("*.vtu"))
    shown = opened_by_vtk(tmp_path / "series.xdmf", study.records[-1].time)
    assert (shown.GetNumberOfCells(), shown.GetNumberOfPoints()) == (2, BAR.mesh.p.shape[1])
    assert shown.GetCell(0).GetCellType() == 12, "VTK_HEXAHEDRON"
    assert shown.GetPointData().GetArray("displacement").GetRange(2)[1] == study.displacement[2].max()


@pytest.mark.slow
def test_micro_fields_of_a_chosen_point_are_there_at_every_increment(tmp_path):
    law = J2Plasticity(BULK, SHEAR, LinearHardening(YIELD, HARDENING))
    phases = np.zeros((2, 3, 4), int)
    phases[0, 0, 0] = 1
    stiff = J2Plasticity(3 * BULK, 3 * SHEAR, LinearHardening(2 * YIELD, HARDENING))
    cell = PathCell(phases, [law, stiff], (0.1, 0.2, 0.3))
    run = {"supports": BENT, "steps": FACTORS[:2], "results": tmp_path, "watch": [5], "rtol": 1e-6}
    study = solve_structure(BAR, cell, **run)
    last = len(study.records)
    assert len(list(tmp_path.glob("micro-000005-*.h5"))) == last == len(list(tmp_path.glob("*.vtu")))
    fields = micro_fields(cell, study.micro[5], study.strains[5])
    with h5py.File(tmp_path / f"micro-000005-{last:06d}.h5") as file:
        stress, accumulated = file["cell/stress"][...], file["cell/accumulated plastic strain"][...]
    assert stress.shape == (4, 3, 2, 9)
    np.testing.assert_array_equal(stress[3, 2, 1, 0], fields["stress"][0, 1, 2, 3])
    shear = fields["stress"][5, 1, 2, 3] / np.sqrt(2)  # Mandel's notation: 12 is the last component
    np.testing.assert_allclose(stress[3, 2, 1, [1, 3]], shear, rtol=1e-15)
    np.testing.assert_array_equal(accumulated, fields["accumulated plastic strain"][0].T)
    shown = opened_by_vtk(tmp_path / "micro-000005.xdmf", study.records[-1].time)
    np.testing.assert_allclose(shown.GetBounds(), [0, 0.2, 0, 0.6, 0, 1.2], rtol=1e-12)
    values = shown.GetCellData().GetArray("accumulated plastic strain")
    flat = [values.GetValue(i) for i in range(24)]  # x runs fastest
    np.testing.assert_array_equal(np.reshape(flat, (4, 3, 2)), accumulated)


def test_odd_names_and_whole_numbers_go_through_the_text(tmp_path):
    data = {"a<b> & 'c'/d": np.arange(24, dtype=np.uint8).reshape(4, 3, 2)}
    write_time(tmp_path / "one.h5", {}, data)
    grid = image_grid((2, 3, 4), (1.0, 1.0, 1.0))
    write_xdmf(tmp_path / "odd.xdmf", "a & b", grid, [(0.5, attributes("one.h5", {}, data))])
    shown = opened_by_vtk(tmp_path / "odd.xdmf", 0.5)
    assert shown.GetCellData().GetArray(0).GetRange() == (0.0, 23.0)


def test_a_format_that_there_is_not_is_refused_before_any_work():
    with pytest.raises(InputError, match="results_format: got 'exodus'; wanted 'vtu' or 'xdmf'"):
        solve_structure(BAR, PlasticUnit(), supports=BENT, results_format="exodus")
