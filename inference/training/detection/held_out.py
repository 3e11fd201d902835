"""Outfits of the training file that a run keeps for measuring itself."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def hold_out(path: Path, *, count: int, out: Path) -> Path:
    """Puts `count` outfits with masks of a ccp file into `held_out(out)`, and returns the file of
    all other photos. A hash of their ids chooses, so that other runs hold out the same."""
    table = pq.read_table(path)
    ids = table.filter(pc.is_valid(table["mask"]))["id"].to_pylist()
    ids.sort(key=lambda each: hashlib.sha256(str(each).encode()).hexdigest())
    chosen = pc.is_in(table["id"], value_set=pa.array(ids[:count], table["id"].type))
    pq.write_table(table.filter(chosen), held_out(out))
    rest = out / "ccp-rest.parquet"
    pq.write_table(table.filter(pc.invert(chosen)), rest)
    return rest


def held_out(out: Path) -> Path:
    return out / "ccp-held-out.parquet"
