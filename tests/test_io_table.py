"""Phase tables: what is read, and what is refused."""

import pytest

from scalebridge.core.errors import FileFormatError, InputError, PhaseError, UnitError
from scalebridge.io.table import read_phase_table


def write(folder, text, encoding="utf-8"):
    (folder / "phases.csv").write_bytes(text.encode(encoding))
    return folder / "phases.csv"


def test_columns_in_any_order_with_names_comments_and_a_byte_order_mark(tmp_path):
    text = (
        '# measured 2019\nname,std,unit,value,Phase\nwater,,W/m/K,0.6,0\n\n"quartz, clean",0.3,W/m/K,7.7,1\n'
    )
    assert read_phase_table(write(tmp_path, text, "utf-8-sig")) == {
        0: {"value": "0.6 W/m/K", "name": "water"},
        1: {"value": "7.7 W/m/K", "std": 0.3, "name": "quartz, clean"},
    }


def test_dimensionless_and_tiny_values_keep_their_digits(tmp_path):
    text = "phase,value,unit\n0,1.23456789012e-19,m^2\n1,2.5,1\n"
    phases = read_phase_table(write(tmp_path, text))
    assert phases == {0: {"value": "1.23456789012e-19 m^2"}, 1: {"value": "2.5"}}


REFUSALS = [
    ("empty", "", FileFormatError, "path", "columns []", "phase, value, unit"),
    ("no phases", "phase,value,unit\n", FileFormatError, "path", "without phases", "a line a phase"),
    (
        "no label column",
        "value,unit\n0.6,W/m/K\n",
        FileFormatError,
        "path",
        "['value', 'unit']",
        "phase, value",
    ),
    ("misspelt column", "phase,valeu,unit\n0,1,K\n", FileFormatError, "path", "valeu", "phase, value"),
    ("semicolons", "phase;value;unit\n0;0.6;W/m/K\n", FileFormatError, "path", "phase;value;unit", "commas"),
    ("column twice", "phase,value,unit,unit\n0,1,K,K\n", FileFormatError, "path", "unit", "each once"),
    ("decimal comma", "phase,value,unit\n0,0,6,W/m/K\n", FileFormatError, "path", "4 cells in line 2", "3"),
    ("label twice", "phase,value,unit\n0,1,K\n0,2,K\n", PhaseError, "phase", "0 again in line 3", "once"),
    ("label not whole", "phase,value,unit\n0.5,1,K\n", PhaseError, "phase", "'0.5' in line 2", "whole"),
    ("value not a number", "phase,value,unit\n0,many,K\n", PhaseError, "value", "'many' in line 2", "finite"),
    ("value NaN", "phase,value,unit\n0,nan,K\n", PhaseError, "value", "'nan' in line 2", "finite"),
    ("negative std", "phase,value,unit,std\n0,1,K,-1\n", PhaseError, "std", "-1.0 in line 2", "0 or more"),
    (
        "unknown unit",
        "phase,value,unit\n0,1,Wm/Kx\n",
        UnitError,
        "unit in line 2",
        "Wm/Kx",
        "number and a unit",
    ),
    ("binary", "\x00\xff", FileFormatError, "path", "columns", "phase, value"),
]


@pytest.mark.parametrize("row", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_bad_tables_are_refused_in_four_parts(tmp_path, row):
    _, text, kind, argument, got, wanted = row
    with pytest.raises(InputError) as caught:
        read_phase_table(write(tmp_path, text))
    error = caught.value
    assert type(error) is kind, error
    assert error.argument == argument, error
    assert got in error.got, error
    assert wanted in error.wanted, error
    assert error.cure


def test_misspelt_names_are_corrected(tmp_path):
    path = write(tmp_path, "phase,valeu,unit\n0,1,K\n")
    with pytest.raises(FileFormatError, match="did you mean 'value'"):
        read_phase_table(path)
    with pytest.raises(FileFormatError, match=r"did you mean 'phases\.csv'"):
        read_phase_table(tmp_path / "phase.csv")


def test_another_encoding_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"UnicodeDecodeError"):
        read_phase_table(write(tmp_path, "phase,value,unit\n0,1,µm\n", "latin-1"))
