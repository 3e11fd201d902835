"""The settings of one part of a configuration, each of which has to be understood."""

from collections.abc import Mapping, Sequence
from typing import Any

_MISSING = object()


class BadConfig(ValueError):
    """The configuration describes no model that is known; the message says where and why."""


class Settings:
    """Reads a part's settings one by one; `finish` refuses what nobody took."""

    def __init__(self, where: str, values: Any) -> None:
        if not isinstance(values, Mapping):
            raise BadConfig(f"{where}: a dict(...) is needed, not {values!r}.")
        self.where = where
        self.values = dict(values)

    def take(self, name: str, default: Any = _MISSING) -> Any:
        value = self.values.pop(name, default)
        if value is _MISSING:
            raise BadConfig(f"{self.where}: {name} is missing.")
        return value

    def take_number(self, name: str, default: Any = _MISSING) -> int:
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise BadConfig(
                f"{self.where}.{name}: a positive whole number is needed, not {value!r}."
            )
        return value

    def take_numbers(self, name: str, count: int, default: Any = _MISSING) -> Sequence[int]:
        value = self.take(name, default)
        fits = isinstance(value, list | tuple) and len(value) == count
        if not fits or not all(isinstance(item, int) and item > 0 for item in value):
            raise BadConfig(f"{self.where}.{name}: {count} positive whole numbers are needed.")
        numbers: Sequence[int] = value
        return numbers

    def enter(self, name: str, *, kind: str = "") -> "Settings":
        part = Settings(f"{self.where}.{name}", self.take(name))
        if kind:
            part.expect("type", kind)
        return part

    def enter_if_any(self, name: str) -> "Settings | None":
        if self.values.get(name) is None:
            self.ignore(name)
            return None
        return self.enter(name)

    def expect(self, name: str, value: Any, default: Any = _MISSING) -> None:
        found = self.take(name, default)
        if found != value:
            raise BadConfig(f"{self.where}.{name} is {found!r}; {value!r} is needed.")

    def ignore(self, *names: str) -> None:
        for name in names:
            self.values.pop(name, None)

    def finish(self) -> None:
        if self.values:
            raise BadConfig(f"{self.where}: {', '.join(sorted(self.values))} is not known.")
