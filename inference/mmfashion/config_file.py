"""MMFashion's configuration files: Python files, of which only the settings are read.

They are read by mmengine, which executes them: so what stands in them is checked first, and the
reading happens in a confined process. What the released files do is allowed: settings, names of
settings above, `os.path.join` and `nn.InstanceNorm2d`.
"""

import ast
from pathlib import Path
from typing import Any

from mmengine.config import Config

from inference.networks.mmfashion.settings import BadConfig

MAX_BYTES = 2**20
_IMPORTS = {("os", None), ("os.path", None), ("torch.nn", "nn"), ("torch.nn", None)}
_MMENGINE = {"_base_", "custom_imports", "_delete_", "_deprecation_"}
_SIGNS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv)


def read(path: Path) -> dict[str, Any]:
    """All settings of the file. Raises BadConfig, also for one that would execute something."""
    check(path)
    try:
        config = Config.fromfile(str(path), lazy_import=False, import_custom_modules=False)
    except Exception as error:
        raise BadConfig(f"{path.name} cannot be read: {error}") from error
    settings: dict[str, Any] = config.to_dict()
    return settings


def choose_model(settings: dict[str, Any], *, name: str, part: str = "") -> dict[str, Any]:
    """The model's settings; CP-VTON's file has two, GMM and TOM. Raises BadConfig."""
    wanted = part or "model"
    if isinstance(settings.get(wanted), dict):
        return dict(settings[wanted])
    parts = [key for key in ("model", "GMM", "TOM") if isinstance(settings.get(key), dict)]
    if not parts:
        raise BadConfig(f"{name} describes no model: there is no `model = dict(...)` in it.")
    raise BadConfig(f"{name} has no {wanted}; say --part {' or --part '.join(parts)}.")


def check(path: Path) -> None:
    """Raises BadConfig unless the file holds settings alone."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadConfig(f"{path.name} is larger than 1 MB: it is no configuration file.")
        text = path.read_text()
    except OSError as error:
        raise BadConfig(f"{path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"{path.name} is not text.") from error
    if path.suffix != ".py":
        raise BadConfig(f"{path.name}: MMFashion's configuration files end in .py.")
    if "{{" in text:
        raise BadConfig(f"{path.name}: {{{{…}}}} would put something in from outside.")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadConfig(f"{path.name} is no Python: {error}") from error
    _Checker(path.name).check(tree)


class _Checker:
    def __init__(self, file: str) -> None:
        self.file = file
        self.known = {"True", "False", "None"}

    def check(self, tree: ast.Module) -> None:
        for line in tree.body:
            match line:
                case ast.Import(names=[ast.alias(name=name, asname=short)]):
                    if (name, short) not in _IMPORTS:
                        self._refuse(line, f"import {name}")
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    if name in _MMENGINE:
                        self._refuse(line, name)
                    self._check_value(value)
                    self.known.add(name)
                case ast.Expr(value=ast.Constant(value=str())):
                    pass
                case _:
                    self._refuse(line)

    def _check_value(self, value: ast.expr) -> None:
        match value:
            case ast.Constant():
                pass
            case ast.Name(id=name) if name in self.known:
                pass
            case ast.List(elts=items) | ast.Tuple(elts=items):
                self._check_all(items)
            case ast.Dict(keys=keys, values=values) if None not in keys:
                self._check_all([k for k in keys if k is not None])
                self._check_all(values)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                self._check_value(operand)
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _SIGNS):
                self._check_all([left, right])
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
                if "dict" in self.known or any(k.arg in {None, *_MMENGINE} for k in keywords):
                    self._refuse(value)
                self._check_all([k.value for k in keywords])
            case ast.Call(func=function, args=items, keywords=[]) if (
                ast.unparse(function) == "os.path.join" and "os" not in self.known
            ):
                self._check_all(items)
            case ast.Attribute() if (
                ast.unparse(value) in {"nn.InstanceNorm2d", "nn.BatchNorm2d"}
                and "nn" not in self.known
            ):
                pass
            case _:
                self._refuse(value)

    def _check_all(self, values: list[ast.expr]) -> None:
        for value in values:
            self._check_value(value)

    def _refuse(self, node: ast.stmt | ast.expr, what: str = "") -> None:
        shown = what or ast.unparse(node).splitlines()[0][:60]
        raise BadConfig(
            f"{self.file}, line {node.lineno}: `{shown}` would be executed; only settings are "
            "read. Nothing was executed."
        )
