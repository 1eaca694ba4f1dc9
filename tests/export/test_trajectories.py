import builtins
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from analytic import BlobGenerator
from engine.test_record import record as two_drags
from hypothesis import given, settings
from hypothesis import strategies as st

from draggan_widget import DragRecord
from draggan_widget.errors import ExportError
from draggan_widget.export import trajectories
from draggan_widget.export.trajectories import TYPES, load_trajectories, save_trajectories

ENDINGS = (".csv", ".parquet")


class Told(DragRecord):
    """A record whose table is given."""

    def __init__(self, table: pd.DataFrame):
        super().__init__({"seed": 3})
        self.table = table

    @property
    def trajectories(self) -> pd.DataFrame:
        return self.table


def refusal(path: Path) -> str:
    with pytest.raises(ExportError) as caught:
        load_trajectories(path)
    return str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_paths_of_a_record_come_back_exactly(tmp_path: Path, ending: str):
    record = two_drags(BlobGenerator())
    back = load_trajectories(save_trajectories(record, tmp_path / f"new/t{ending}"))
    pd.testing.assert_frame_equal(back, record.trajectories.astype(TYPES), check_exact=True)
    assert len(back) == sum(len(step.handles) for step in record)
    np.testing.assert_array_equal(back[back["point"] == 1][["x", "y"]], record.handles[:, 0])


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_record_gives_a_table_without_rows(tmp_path: Path, ending: str):
    back = load_trajectories(save_trajectories(DragRecord(), tmp_path / f"t{ending}"))
    assert (len(back), dict(back.dtypes.astype(str))) == (0, TYPES)


values = st.floats(allow_nan=True, allow_infinity=False)


@given(rows=st.lists(st.tuples(st.integers(0, 2**62), st.integers(1, 64), *[values] * 6), max_size=5))
@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_table_comes_back_exactly(tmp_path_factory, ending: str, rows: list):
    table = pd.DataFrame(rows, columns=pd.Index(TYPES)).astype(TYPES)
    back = load_trajectories(save_trajectories(Told(table), tmp_path_factory.mktemp("t") / f"t{ending}"))
    pd.testing.assert_frame_equal(back, table, check_exact=True)


def test_a_csv_is_plain_text_that_others_read(tmp_path: Path):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.csv")
    lines = path.read_text().splitlines()
    assert lines[0] == "step,point,x,y,target_x,target_y,distance,tracking_error"
    assert lines[1].startswith("0,1,24.0,30.0,")
    assert len(pd.read_csv(path)) == len(lines) - 1


def test_a_parquet_file_also_holds_how_the_drag_was_made(tmp_path: Path):
    record = two_drags(BlobGenerator())
    path = save_trajectories(record, tmp_path / "t.parquet")
    text = pyarrow.parquet.read_schema(path).metadata[b"draggan_widget"]
    assert json.loads(text) == {"schema": "draggan-widget trajectories", "version": 1, "about": record.about}


@pytest.mark.parametrize("do", ["save", "load"])
def test_without_pyarrow_a_parquet_file_says_what_to_install(tmp_path: Path, do: str, monkeypatch: pytest.MonkeyPatch):
    true_import = builtins.__import__

    def without(name: str, *rest, **more):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return true_import(name, *rest, **more)

    record = two_drags(BlobGenerator())
    record.trajectories  # noqa: B018 - pandas looks for pyarrow when it is imported
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExportError) as caught:
        save_trajectories(record, tmp_path / "t.parquet") if do == "save" else load_trajectories(tmp_path / "t.parquet")
    assert str(caught.value) == (
        "a .parquet file needs pyarrow, which is not installed; pip install 'draggan-widget[export]'"
    )
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"PAR1 rest PAR1", b"\xff\xfe\x00" * 50, b"step\n" + b"1,2,3\n"]
)
def test_a_foreign_file_is_refused(tmp_path: Path, ending: str, content: bytes):
    path = tmp_path / f"t{ending}"
    path.write_bytes(content)
    assert re.fullmatch(
        rf"{re.escape(str(path))} is damaged or holds no trajectories \(.+\); take another copy", refusal(path)
    )


def test_a_truncated_parquet_file_is_refused(tmp_path: Path):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    assert "is damaged or holds no trajectories (" in refusal(path)


@pytest.mark.parametrize(
    ("cut", "due"),
    [
        (-1, "its last line has no line end"),
        (-9, "its last line has no line end"),
    ],
)
def test_a_csv_that_is_cut_is_refused(tmp_path: Path, cut: int, due: str):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.csv")
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(path) == f"{path} is damaged or holds no trajectories ({due}); take another copy"


@pytest.mark.parametrize(("ragged", "count"), [(",1.0", 9), ("", 7)])
def test_a_csv_with_a_ragged_row_is_refused(tmp_path: Path, ragged: str, count: int):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.csv")
    lines = path.read_text().splitlines()
    lines[2] = lines[2] + ragged if ragged else lines[2].rpartition(",")[0]
    path.write_text("\n".join(lines) + "\n")
    due = f"line 3 has {count} fields; expected 8"
    assert refusal(path) == f"{path} is damaged or holds no trajectories ({due}); take another copy"


def test_a_csv_with_a_spreadsheet_s_mark_and_line_ends_is_read(tmp_path: Path):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.csv")
    due = load_trajectories(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_trajectories(path).equals(due)


def test_a_changed_byte_of_a_parquet_file_is_seen(tmp_path: Path):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.parquet")
    whole = path.read_bytes()
    data = pyarrow.parquet.ParquetFile(path).metadata.row_group(0).column(2)
    last = (
        data.data_page_offset + data.total_compressed_size - (data.data_page_offset - data.dictionary_page_offset) - 1
    )
    path.write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
    assert "is damaged or holds no trajectories (" in refusal(path)


@pytest.mark.parametrize(
    "text", ["inf", "-Infinity", "nan", "1_0", "0x10", "1e400", " 1", "\uff11", "\u0661.5", "1,5e", "1e"]
)
def test_what_is_no_finite_decimal_number_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "t.csv"
    path.write_text(f'{",".join(TYPES)}\n0,1,"{text}",1,1,1,1,1\n', "utf-8")
    due = f"line 2 has x {text!a}; expected a finite number"
    assert refusal(path) == f"{path} is damaged or holds no trajectories ({due}); take another copy"


@pytest.mark.parametrize("text", ["", "-1", "1.0", "1_0", "0x10", "\uff11", "9" * 19, "+1"])
def test_a_step_that_is_no_whole_number_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "t.csv"
    path.write_text(f"{','.join(TYPES)}\n{text},1,1,1,1,1,1,1\n", "utf-8")
    due = f"line 2 has step {text!a}; expected a whole number"
    assert refusal(path) == f"{path} is damaged or holds no trajectories ({due}); take another copy"


def test_numbers_as_spreadsheets_write_them_are_read(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(",".join(TYPES) + '\n0,1,"24",1E-05,+.5,-3.,,1.5e+3\n')
    np.testing.assert_array_equal(load_trajectories(path).to_numpy(), [[0, 1, 24, 1e-5, 0.5, -3, np.nan, 1500]])


@pytest.mark.parametrize("ending", ENDINGS)
def test_infinity_is_neither_written_nor_read(tmp_path: Path, ending: str):
    table = pd.DataFrame([[0, 1, 1.0, 1.0, 1.0, 1.0, 1.0, np.inf]], columns=pd.Index(TYPES)).astype(TYPES)
    found = "column tracking_error holds infinity; expected finite numbers"
    with pytest.raises(ExportError) as caught:
        save_trajectories(Told(table), tmp_path / f"t{ending}")
    assert str(caught.value) == f"the paths of the record cannot be written: {found}; leave those steps out"
    if ending == ".parquet":
        table.to_parquet(tmp_path / "theirs.parquet")
        assert found in refusal(tmp_path / "theirs.parquet")


def test_many_columns_are_refused_before_they_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{index}" for index in range(500_000)) + "\n")
    monkeypatch.setattr(pd, "DataFrame", None)
    due = "line 1 has over 1000 characters"
    assert refusal(path) == f"{path} is damaged or holds no trajectories ({due}); take another copy"
    path.write_text("a,b\n")
    due = f"columns a, b; expected {', '.join(TYPES)}"
    assert refusal(path) == f"{path} is damaged or holds no trajectories ({due}); take another copy"


def test_text_among_the_numbers_is_refused(tmp_path: Path):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.csv")
    path.write_text(path.read_text().replace("24.0", "far", 1))
    assert refusal(path) == (
        f"{path} is damaged or holds no trajectories (line 2 has x 'far'; expected a finite number); take another copy"
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, ending: str):
    path = tmp_path / f"t{ending}"
    assert refusal(path) == f"{path} does not exist; expected a file to read; check the path"


def test_a_parquet_file_of_a_newer_version_is_refused(tmp_path: Path):
    path = save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.parquet")
    table = pyarrow.parquet.read_table(path)
    told = {"schema": "draggan-widget trajectories", "version": 2, "about": {}}
    metadata = {**table.schema.metadata, b"draggan_widget": json.dumps(told).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path)
    assert refusal(path) == f"{path} has schema version 2; this version of draggan-widget reads up to 1; update it"


def test_another_ending_is_refused(tmp_path: Path):
    with pytest.raises(ExportError) as caught:
        save_trajectories(two_drags(BlobGenerator()), tmp_path / "t.xls")
    assert str(caught.value) == (
        f"trajectories go to a file that ends in .csv or .parquet; {str(tmp_path / 't.xls')!r} does not; rename it"
    )


def test_a_parquet_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path):
    path, rows = tmp_path / "t.parquet", 2_000_000
    constant = {name: pyarrow.array(np.zeros(rows, kind)) for name, kind in trajectories.TYPES.items()}
    pyarrow.parquet.write_table(pyarrow.table(constant), path)
    assert refusal(path) == f"{path} would unpack to 128000000 bytes; expected at most 100 times its size"
