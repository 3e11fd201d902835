"""What a checkpoint's pickle is made of, without making any of it.

`torch.load(weights_only=True)` was broken before; this stands in front of it. Each name in the
pickle has to be on a short list, and stands for an empty thing: nothing of torch is called.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

MAGIC = 0x1950A86A20F9469CFC6C
"""How torch began its files up to 1.5."""
MAX_PICKLE = 256 * 2**20

_STORAGES = [
    "Double",
    "Float",
    "Half",
    "BFloat16",
    "Long",
    "Int",
    "Short",
    "Char",
    "Byte",
    "Bool",
    "ComplexDouble",
    "ComplexFloat",
]
_KNOWN = {
    ("torch._utils", "_rebuild_tensor"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    ("torch", "device"),
    ("torch.serialization", "_get_layout"),
    ("torch.nn.parameter", "Parameter"),
    *(("torch", f"{kind}Storage") for kind in _STORAGES),
}


class NotACheckpoint(ValueError):
    """The file is none, is damaged, or holds more than weights."""


def check(path: Path) -> None:
    """Raises NotACheckpoint unless the file holds tensors, numbers and texts alone."""
    try:
        if zipfile.is_zipfile(path):
            _check_archive(path)
        else:
            _check_stream(path)
    except NotACheckpoint:
        raise
    except (EOFError, zipfile.BadZipFile, pickle.UnpicklingError, OSError) as error:
        raise NotACheckpoint(f"{path.name} is truncated or damaged.") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise NotACheckpoint(f"{path.name} is damaged: its index makes no sense.") from error


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl") or n == "data.pkl"]
        if len(names) != 1:
            raise NotACheckpoint(f"{path.name} is an archive, but not of PyTorch.")
        if any("/code/" in name or name.endswith("constants.pkl") for name in archive.namelist()):
            raise NotACheckpoint(
                f"{path.name} is a TorchScript program, not weights: save its state_dict instead."
            )
        if archive.getinfo(names[0]).file_size > MAX_PICKLE:
            raise NotACheckpoint(f"{path.name} has an index of more than 256 MB.")
        with archive.open(names[0]) as stream:
            _Reader(stream, path.name).load()


def _check_stream(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(2) not in {b"\x80\x02", b"\x80\x03", b"\x80\x04"}:
            raise NotACheckpoint(f"{path.name} is not a PyTorch checkpoint.")
        stream.seek(0)
        if _Reader(stream, path.name).load() != MAGIC:
            raise NotACheckpoint(f"{path.name} is not a PyTorch checkpoint.")
        for _ in range(4):  # the format's version, the machine, the weights' index, their order
            _Reader(stream, path.name).load()


class _Thing:
    """Stands for whatever a name in the file would be."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __call__(self, *arguments: Any, **settings: Any) -> "_Thing":
        return self


class _Reader(pickle.Unpickler):
    def __init__(self, stream: IO[bytes], name: str) -> None:
        super().__init__(stream)
        self.name = name

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) in _KNOWN:
            return _Thing
        raise NotACheckpoint(
            f"{self.name} holds more than weights: it would run {module}.{name}. "
            "Nothing was executed. Save its state_dict alone, or do not trust it."
        )

    def persistent_load(self, pid: Any) -> Any:
        return _Thing()
