"""Reads the pickles of torch checkpoints without running anything of them.

A pickle is a program for a stack machine. This is such a machine with the
instructions that make plain data only: it never looks a name up, and what a name may
stand for is said by `checkpoint_names`. It allocates in proportion to the file, not to
what the file declares.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, BinaryIO

from vpr_tf.models.torch_weights.checkpoint_objects import (
    CheckpointError,
    Name,
    answer_name,
    build,
    check_key,
)

_MOST_INSTRUCTIONS = 2_000_000  # a checkpoint of MegaLoc with its Adam has 30,000
_LONGEST_NAME_BYTES = 1000
_NEWEST_PROTOCOL = 5
_STOP = b"."


def unpickle(
    file: BinaryIO, end: int, persistent_load: Callable[[Any], Any] | None = None
) -> Any:
    """Reads one pickle from the file's position on.

    Args:
        file: The open file; afterwards it stands behind the pickle.
        end: Position that the pickle must not reach beyond.
        persistent_load: Resolves persistent ids; None refuses them.

    Raises:
        CheckpointError: The pickle uses a name or an instruction that torch's weights
            and plain data do not need, or it ends too early.
        Exception: Many kinds, when the pickle is damaged.
    """
    return _Machine(file, end, persistent_load).run()


class _Machine:
    def __init__(
        self,
        file: BinaryIO,
        end: int,
        persistent_load: Callable[[Any], Any] | None,
    ) -> None:
        self._file = file
        self._end = end
        self._persistent_load = persistent_load
        self._stack: list[Any] = []
        self._outer_stacks: list[list[Any]] = []  # those below each mark
        self._memo: dict[int, Any] = {}
        self._instructions_left = _MOST_INSTRUCTIONS

    def run(self) -> Any:
        while (code := self._read(1)) != _STOP:
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise CheckpointError(
                    f"It has the pickle instruction {code!r}, which no checkpoint "
                    "needs. Nothing of it was run. Do not trust this file."
                )
            self._instructions_left -= 1
            if self._instructions_left < 0:
                raise CheckpointError("It holds too many objects for a checkpoint.")
            instruction(self)
        return self._stack.pop()

    # === Reading ===

    def _read(self, count: int) -> bytes:
        if count > self._end - self._file.tell():
            raise CheckpointError("The file is truncated or declares a wrong size.")
        return self._file.read(count)

    def _unsigned(self, num_bytes: int) -> int:
        return int.from_bytes(self._read(num_bytes), "little")

    def _line(self) -> str:
        line = self._file.readline(_LONGEST_NAME_BYTES)
        if not line.endswith(b"\n") or self._file.tell() > self._end:
            raise CheckpointError("The file is truncated or has a name without end.")
        return line[:-1].decode()

    # === Stack ===

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._items_after_mark()

    def duplicate(self) -> None:
        self.push(self._stack[-1])

    def mark(self) -> None:
        self._outer_stacks.append(self._stack)
        self._stack = []

    def _items_after_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._outer_stacks.pop()
        return items

    def put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    # === Containers ===

    def make_tuple(self, count: int | None) -> None:
        if count is None:
            items = self._items_after_mark()
        else:
            items = [self._stack.pop() for _ in range(count)][::-1]
        self.push(tuple(items))

    def append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise CheckpointError("It appends to what is no list.")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise CheckpointError("It sets items of what is no dictionary.")
        for key, value in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = value

    # === Names ===

    def global_name(self) -> None:
        module = self._line()
        self.push(answer_name(module, self._line()))

    def stacked_global_name(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise CheckpointError("It has a name that is no text.")
        self.push(answer_name(module, name))

    def call(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise CheckpointError(
                "It calls what is no function. Nothing of it was run. Do not trust "
                "this file."
            )
        self.push(function.make(*arguments))

    def build(self) -> None:
        state = self._stack.pop()
        build(self._stack[-1], state)

    def persistent_id(self) -> None:
        if self._persistent_load is None:
            raise CheckpointError("It has a storage where none belongs.")
        self.push(self._persistent_load(self._stack.pop()))

    # === Numbers and texts ===

    def text(self, length_bytes: int) -> None:
        self.push(self._read(self._unsigned(length_bytes)).decode())

    def binary(self, length_bytes: int) -> None:
        self.push(self._read(self._unsigned(length_bytes)))

    def unsigned(self, num_bytes: int) -> None:
        self.push(self._unsigned(num_bytes))

    def signed(self, num_bytes: int) -> None:
        self.push(int.from_bytes(self._read(num_bytes), "little", signed=True))

    def long(self) -> None:
        self.signed(self._unsigned(1))

    def real(self) -> None:
        self.push(struct.unpack(">d", self._read(8))[0])

    def protocol(self) -> None:
        if self._unsigned(1) > _NEWEST_PROTOCOL:
            raise CheckpointError("It has an unknown version of the pickle format.")


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": _Machine.protocol,
    b"\x95": lambda m: m._read(8),  # FRAME
    b"(": _Machine.mark,
    b"0": _Machine.pop,
    b"1": lambda m: m._items_after_mark(),
    b"2": _Machine.duplicate,
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"J": lambda m: m.signed(4),
    b"K": lambda m: m.unsigned(1),
    b"M": lambda m: m.unsigned(2),
    b"\x8a": _Machine.long,
    b"G": _Machine.real,
    # The texts of Python 2 are those of the first line.
    **{b"U": lambda m: m.text(1), b"T": lambda m: m.text(4)},
    **{b"\x8c": lambda m: m.text(1), b"X": lambda m: m.text(4)},
    b"\x8d": lambda m: m.text(8),
    b"C": lambda m: m.binary(1),
    b"B": lambda m: m.binary(4),
    b"\x8e": lambda m: m.binary(8),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.make_tuple(None),
    b"\x85": lambda m: m.make_tuple(1),
    b"\x86": lambda m: m.make_tuple(2),
    b"\x87": lambda m: m.make_tuple(3),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m._items_after_mark()),
    b"a": lambda m: m.append([m._stack.pop()]),
    b"e": lambda m: m.append(m._items_after_mark()),
    b"}": lambda m: m.push({}),
    b"s": lambda m: m.set_items([m._stack.pop(), m._stack.pop()][::-1]),
    b"u": lambda m: m.set_items(m._items_after_mark()),
    b"q": lambda m: m.put(m._unsigned(1)),
    b"r": lambda m: m.put(m._unsigned(4)),
    b"\x94": lambda m: m.put(len(m._memo)),
    b"h": lambda m: m.push(m._memo[m._unsigned(1)]),
    b"j": lambda m: m.push(m._memo[m._unsigned(4)]),
    b"c": _Machine.global_name,
    b"\x93": _Machine.stacked_global_name,
    b"R": _Machine.call,
    b"\x81": _Machine.call,  # NEWOBJ
    b"b": _Machine.build,
    b"Q": _Machine.persistent_id,
}
