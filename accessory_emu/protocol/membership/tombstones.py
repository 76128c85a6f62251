"""Removed grants and roots with their versions, and the watermark: a removal wins over every later copy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from accessory_emu.protocol import limits
from accessory_emu.protocol.encoding import Value, as_bytes, as_list, as_version, version_value
from accessory_emu.protocol.errors import Malformed
from accessory_emu.protocol.identifiers import GrantId, Version


@dataclass(frozen=True, slots=True)
class Tombstones:
    """What was removed and stays removed.

    `room` bounds how many are kept; when it is exceeded the oldest goes and its version becomes the
    watermark: a grant whose base is at or below it is taken only if it is already held (AE-LOG-041, 042).
    """

    items: Mapping[GrantId, Version] = field(default_factory=dict)
    watermark: Version | None = None
    room: int = limits.TOMBSTONES_HELD

    def __contains__(self, name: GrantId) -> bool:
        return name in self.items

    def below_watermark(self, base: Version) -> bool:
        """Tell whether a request of this base may speak of a removed grant that nobody remembers."""
        return self.watermark is not None and base <= self.watermark

    def with_removed(self, names: Iterable[GrantId], version: Version) -> Self:
        """Add tombstones made at `version`; a name that has one keeps the higher version."""
        return self._merged(dict.fromkeys(names, version), None)

    def merged(self, other: "Tombstones") -> Self:
        """Join with the tombstones of a checkpoint: the newest stay, the higher watermark holds."""
        return self._merged(other.items, other.watermark)

    def _merged(self, more: Mapping[GrantId, Version], watermark: Version | None) -> Self:
        items = dict(self.items)
        for name, version in more.items():
            items[name] = max(version, items.get(name, version))
        marks = [mark for mark in (self.watermark, watermark) if mark is not None]
        if len(items) > self.room:
            oldest = sorted(items, key=lambda name: (items[name], name))[: len(items) - self.room]
            marks += [items.pop(name) for name in oldest]
        return type(self)(items, max(marks, default=None), self.room)

    def value(self) -> list[Value]:
        """Give the array that goes over the wire: [id, version] in ascending order of ids."""
        return [[name, version_value(self.items[name])] for name in sorted(self.items)]

    @classmethod
    def read(cls, value: Value, watermark: Version | None) -> Self:
        """Read the tombstones of a checkpoint. Raises Malformed."""
        items: dict[GrantId, Version] = {}
        for item in as_list(value, limits.TOMBSTONES_HELD):
            pair = as_list(item, 2)
            if len(pair) != 2:  # noqa: PLR2004 - a pair
                raise Malformed("a tombstone is [id, version]")
            name = GrantId(as_bytes(pair[0], limits.GRANT_ID_SIZE))
            if name in items:
                raise Malformed("two tombstones of one id")
            items[name] = as_version(pair[1])
        return cls(items, watermark)
