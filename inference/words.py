"""A text as numbers: hashed words, pairs of neighbours and letter groups. No torch, no Django.

Hashing needs no vocabulary file, and letter groups (Bojanowski et al. 2017) let a misspelt or
unknown word lie near the right one.
"""

import re
import unicodedata
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

BUCKETS = 16_384
"""Rows of the text encoder's table; row 0 stands for nothing."""
LONGEST = 24
"""Words of a text that are read."""
_GROUP = 3


def split_words(text: str) -> list[str]:
    """Lower-cased words without accents or marks; "T-Shirt" and "tişört" are one word each."""
    lowered = text.replace("İ", "i").lower().replace("ı", "i")
    plain = unicodedata.normalize("NFKD", lowered)
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+(?:-[^\W_]+)*", letters)[:LONGEST]


def encode_words(texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Table rows (N, T) and their weights (N, T); shorter texts end in row 0 with weight 0."""
    rows = [_rows(split_words(text)) for text in texts]
    width = max((len(row) for row in rows), default=0) or 1
    ids = np.zeros((len(texts), width), np.int64)
    weights = np.zeros((len(texts), width), np.float32)
    for index, row in enumerate(rows):
        for place, (bucket, weight) in enumerate(row):
            ids[index, place] = bucket
            weights[index, place] = weight
    return ids, weights


def _rows(words: list[str]) -> list[tuple[int, float]]:
    rows: list[tuple[int, float]] = []
    for word in words:
        framed = f"<{word}>"
        groups = [framed[i : i + _GROUP] for i in range(len(framed) - _GROUP + 1)]
        rows.append((_bucket(f"word {word}"), 1.0))
        rows += [(_bucket(f"group {group}"), len(groups) ** -0.5) for group in groups]
    rows += [(_bucket(f"pair {a} {b}"), 0.5) for a, b in pairwise(words)]
    return rows


def _bucket(token: str) -> int:
    return 1 + crc32(token.encode()) % (BUCKETS - 1)
