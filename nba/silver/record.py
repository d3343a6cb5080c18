"""Reading values out of a response by their names, each of the type that it must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

__all__ = ["Malformed", "Record", "shown"]

_LARGEST_ID: Final = 2**31 - 1
_LONGEST_SHOWN: Final = 60


class Malformed(Exception):
    """A response has another shape than the NBA's: a value is missing or of another type."""


@dataclass(frozen=True, slots=True)
class Record:
    """The named values of an object or of a table's row; `name` is its own, for sentences.

    Every method raises Malformed for a value that is missing or of another type.
    """

    name: str
    values: Mapping[str, object]

    @classmethod
    def of(cls, name: str, value: object) -> Record:
        """Of a JSON object."""
        if not isinstance(value, dict):
            raise Malformed(f"{name} is {shown(value)}, not an object.")
        return cls(name, value)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def value(self, name: str) -> object:
        """Whatever stands there."""
        if name not in self.values:
            raise Malformed(f"{self.name} has no {name}.")
        return self.values[name]

    def record(self, name: str) -> Record:
        """An object within."""
        return Record.of(f"{name} of {self.name}", self.value(name))

    def entries(self, name: str) -> list[object]:
        """The entries of a list within."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        return value

    def text(self, name: str) -> str:
        """A text, without spaces around it."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self._wrong(name, value, "a text")
        if not value.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in value):
            # Half of a pair of code units: valid in JSON, and nothing can store it.
            raise self._wrong(name, value, "a text")
        return value.strip()

    def text_or_none(self, name: str) -> str:
        """A text, "" where there is null."""
        return "" if self.value(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def digit(self, name: str) -> bool:
        """The live feed's "1" and "0"."""
        value = self.value(name)
        if value not in ("0", "1"):
            raise self._wrong(name, value, 'the text "0" or "1"')
        return value == "1"

    def whole(self, name: str) -> int:
        """A whole number; 15.0 is one, "15" is none."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
            raise self._wrong(name, value, "a whole number")
        return int(value)

    def identity(self, name: str) -> int:
        """The id of a person or team."""
        number = self.whole(name)
        if not 0 < number <= _LARGEST_ID:
            raise self._wrong(name, number, "an id")
        return number

    def identity_or_none(self, name: str) -> int | None:
        """An id, None where there is 0 or null."""
        return None if self.value(name) in (None, 0) else self.identity(name)

    def moment(self, name: str) -> datetime:
        """A time with its zone, in UTC."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self._wrong(name, text, "a time with its zone")

    def day(self, name: str) -> date:
        """A date; a time after it is left out, whatever its zone."""
        text = self.text(name)
        try:
            return date.fromisoformat(text.partition("T")[0])
        except ValueError as error:
            raise self._wrong(name, text, "a date") from error

    def day_or_none(self, name: str) -> date | None:
        """A date; None where there is none or something else."""
        try:
            return self.day(name)
        except Malformed:
            return None

    def _wrong(self, name: str, value: object, expected: str) -> Malformed:
        return Malformed(f"{name} of {self.name} is {shown(value)}, not {expected}.")


def shown(value: object) -> str:
    """A value as a sentence can show it."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
