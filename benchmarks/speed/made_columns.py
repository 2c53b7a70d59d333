"""Arrow columns and tables out of drawn numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools = npt.NDArray[np.bool_]


def flags(random: np.random.Generator, num: int, share: float) -> Bools:
    """`[num]`, true for this share."""
    return random.random(num) < share


def column(
    values: npt.NDArray[Any], missing: Bools | None = None, kind: pa.DataType | None = None
) -> pa.Array:
    """The numbers, null where they are missing; NaN stays NaN."""
    if kind is not None:
        values = values.astype(kind.to_pandas_dtype())
    return pa.array(values, kind, mask=missing, from_pandas=False)


def picked(values: Sequence[str | None], which: npt.NDArray[Any]) -> pa.Array:
    """The values at these places, as text."""
    return pa.array(values, pa.string()).take(pa.array(which.astype(np.int64)))


def structs(kind: pa.StructType, columns: Mapping[str, pa.Array]) -> pa.Array:
    """Records of `kind`, whose fields are the columns cast to its types."""
    arrays = [
        one.cast(field.type) if (one := columns[field.name]).type != field.type else one
        for field in kind
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(kind))


def lists(
    values: pa.Array, counts: npt.NDArray[np.integer], missing: Bools | None = None
) -> pa.Array:
    """Lists of `counts` of the values in turn, null where missing; those have none."""
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    mask = None if missing is None else pa.array(missing)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)


def made_table(schema: pa.Schema, columns: Mapping[str, Any]) -> pa.Table:
    """A table of `schema`; the columns that are not given are null."""
    num = len(next(iter(columns.values())))
    arrays = [
        _cast(columns[field.name], field) if field.name in columns else pa.nulls(num, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _cast(values: Sequence[Any] | pa.Array, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(values)
    return values if values.type == field.type else values.cast(field.type)
