from pathlib import Path

import fsspec
import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pytest

from curation.tables import LATENTS
from tests.training.data.tables import latent_row, overwrite, write
from training.data.rows import Places, RowReader, scan


def test_rows_are_those_of_their_places_in_any_order(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(23)]
    dataset = write(tmp_path, rows)
    found, places = scan(dataset, {"clip_id": pc.field("clip_id")})
    assert found["clip_id"].to_pylist() == [row["clip_id"] for row in rows]
    reader = RowReader(places.take(np.arange(22, -1, -1)))
    for wanted in ([5], [22, 0, 11], [3, 3], [*range(23)]):
        read = reader.read(wanted, ["clip_id", "latent"])
        assert [one["clip_id"][0].as_py() for one in read] == [
            rows[22 - at]["clip_id"] for at in wanted
        ]
        assert [one["latent"][0].as_py() for one in read] == [
            rows[22 - at]["latent"] for at in wanted
        ]


def test_only_the_row_group_of_a_row_is_read(tmp_path: Path) -> None:
    write(tmp_path, [latent_row(number) for number in range(7)])
    dataset = write(tmp_path, [latent_row(number) for number in range(7)])
    _, places = scan(dataset, {"clip_id": pc.field("clip_id")})
    assert places.group.tolist() == [0, 0, 0, 1, 1, 1, 2]
    reader = RowReader(places)
    reader.read([4], ["latent"])
    assert [(key[:2], table.num_rows) for key, table in reader._groups.items()] == [((0, 1), 3)]


def test_row_groups_are_kept_up_to_a_number_of_bytes_the_oldest_leave(tmp_path: Path) -> None:
    dataset = write(tmp_path, [latent_row(0) for _ in range(12)], per_file=3)
    _, places = scan(dataset, {"clip_id": pc.field("clip_id")})
    [one] = RowReader(places).read([0], ["latent"])
    most = 2 * 3 * one["latent"].nbytes + 100
    reader = RowReader(places, cache_bytes=most)
    for row in (3, 0, 3, 6):
        reader.read([row], ["latent"])
        assert sum(table.nbytes for table in reader._groups.values()) == reader._held_bytes <= most
    assert [key[0] for key in reader._groups] == [1, 2]
    for path in tmp_path.iterdir():
        path.unlink()
    assert isinstance(reader.read([3], ["latent"])[0], type(one)), "from memory"
    assert "part-000000" in str(RowReader(places).read([0], ["latent"])[0]), "why it cannot be read"


def test_more_rows_than_are_kept_can_be_read_at_once(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(12)]
    _, places = scan(write(tmp_path, rows, per_file=3), {"clip_id": pc.field("clip_id")})
    reader = RowReader(places, cache_bytes=1)
    read = reader.read([*range(12)], ["clip_id"])
    assert [one["clip_id"][0].as_py() for one in read] == [row["clip_id"] for row in rows]


@pytest.mark.parametrize("column", ["latent", "text.list.element.values"])
def test_a_damaged_page_costs_its_row_group_and_says_why(tmp_path: Path, column: str) -> None:
    dataset = write(tmp_path, [latent_row(number) for number in range(6)], per_file=3)
    _, places = scan(dataset, {"clip_id": pc.field("clip_id")})
    overwrite(tmp_path / "part-000003.parquet", column)
    read = RowReader(places).read([0, 3, 5], ["latent", "text"])
    assert [isinstance(one, str) for one in read] == [False, True, True]
    assert "part-000003.parquet" in str(read[1])


def test_a_flipped_bit_is_seen(tmp_path: Path) -> None:
    row = latent_row(0)
    dataset = write(tmp_path, [row])
    path = tmp_path / "part-000000.parquet"
    content = bytearray(path.read_bytes())
    content[content.index(row["latent"]) + 17] ^= 4
    _, places = scan(dataset, {"clip_id": pc.field("clip_id")})
    path.write_bytes(content)
    [read] = RowReader(places).read([0], ["latent"])
    assert isinstance(read, str) and "crc" in read.lower()


def test_rows_in_an_object_store_are_read_alike_several_at_once(tmp_path: Path) -> None:
    rows = [latent_row(number) for number in range(20)]
    write(tmp_path, rows)
    memory = fsspec.filesystem("memory")
    paths = [f"/rows/{path.name}" for path in sorted(tmp_path.iterdir())]
    for path in paths:
        memory.pipe(path, (tmp_path / Path(path).name).read_bytes())
    store = pafs.PyFileSystem(pafs.FSSpecHandler(memory))
    dataset = ds.dataset(paths, LATENTS, "parquet", store)
    _, places = scan(dataset, {"clip_id": pc.field("clip_id")})
    reader = RowReader(places)
    assert not reader._is_local and RowReader(_places(tmp_path))._is_local
    read = reader.read([*range(20)], ["latent", "text"])
    assert [one["latent"][0].as_py() for one in read] == [row["latent"] for row in rows]
    memory.rm(paths[0])
    again = RowReader(places).read([0, 8], ["latent"])
    assert [isinstance(one, str) for one in again] == [True, False]


def _places(folder: Path) -> Places:
    dataset = ds.dataset(folder, schema=LATENTS)
    return scan(dataset, {"clip_id": pc.field("clip_id")})[1]
