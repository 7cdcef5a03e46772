"""Reads a pickle without running it: every instruction is interpreted here, nothing is imported and nothing is called.

Names stay texts. What a pickle may "call" is a short table of our own functions (`pickle_rebuild`), which put values
together. Time is linear in the size of the pickle: everything that a step copies counts against the same limits, so that
handing one large value to a thousand steps gains nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modules.weights.pickle_opcodes import OPCODES, REFUSED, Source
from modules.weights.pickle_rebuild import apply, give_state, known
from modules.weights.pickle_values import Broken, Symbol, Unsafe, key, quoted

MAX_STEPS = 1_000_000
MAX_COPIED = 128 << 20
PROTOCOLS = range(2, 6)


def read_pickle(source: Source, storage_of: Callable[[Any], Any] | None = None) -> Any:
    """The value of the one pickle at the front of `source`: None, bool, int, float, str, bytes, list, tuple, dict, set, tensors.

    `storage_of` turns a persistent id into a storage; without it there may be none. Raises Broken, Unsafe or Unsupported.
    """
    return _Machine(storage_of).run(source)


class _Machine:
    """The stack machine; each method carries out the instruction it is named after."""

    def __init__(self, storage_of: Callable[[Any], Any] | None) -> None:
        self.storage_of = storage_of
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.steps = 0
        self.copied = 0

    def run(self, source: Source) -> Any:
        self._begin(source)
        while True:
            self.spend(1)
            code = source.take(1)[0]
            op = OPCODES.get(code)
            if op is None:
                raise _refusal(code)
            if op.name == "STOP":
                return self._result()
            action = _ACTIONS[op.name]
            if op.argument is None:
                action(self)
            else:
                action(self, op.argument(source))

    def spend(self, steps: int, copied: int = 0) -> None:
        """Count work; raises Unsafe when there is more of it than any weight file needs."""
        self.steps += steps
        self.copied += copied
        if self.steps > MAX_STEPS or self.copied > MAX_COPIED:
            raise Unsafe(f"takes more than {MAX_STEPS:,} instructions")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack:
            raise Broken("takes a value from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack:
            raise Broken("takes a value from an empty stack")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """What was pushed since the last MARK, which goes away."""
        if not self.outer:
            raise Broken("lacks a mark")
        values, self.stack = self.stack, self.outer.pop()
        return values

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def frame(self, size: int) -> None:
        """A hint for buffering; the bytes are read one by one anyway."""

    def append(self) -> None:
        value = self.pop()
        self._list().append(value)

    def appends(self) -> None:
        values = self.since_mark()
        self._list().extend(values)

    def tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise Broken("takes a value from an empty stack")
        values = tuple(self.stack[-count:])
        del self.stack[-count:]
        self.push(values)

    def set_item(self) -> None:
        value, name = self.pop(), self.pop()
        self._dict()[key(name)] = value

    def set_items(self) -> None:
        values = self.since_mark()
        if len(values) % 2:
            raise Broken("fills a dictionary with a key that has no value")
        target = self._dict()
        for name, value in zip(values[::2], values[1::2], strict=True):
            target[key(name)] = value

    def add_items(self) -> None:
        values = self.since_mark()
        target = self.top()
        if type(target) is not set:
            raise Unsafe("adds items to something that is no set")
        target.update(key(value) for value in values)

    def put(self, index: int) -> None:
        if index > self.steps:
            raise Unsafe(f"remembers a value under the number {index:,}")
        self.memo[index] = self.top()

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise Broken("recalls a value that was never remembered")
        self.push(self.memo[index])

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise Unsafe("makes a name of something that is no text")
        self.push(known(Symbol(module, name)))

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        for value in arguments if type(arguments) is tuple else ():
            self.spend(*_cost(value))
        self.push(apply(function, arguments))

    def build(self) -> None:
        state = self.pop()
        give_state(self.top(), state)

    def persistent(self) -> None:
        ident = self.pop()
        if self.storage_of is None:
            raise Unsafe("asks for a storage where there is none")
        self.push(self.storage_of(ident))

    def _begin(self, source: Source) -> None:
        if source.take(1) != b"\x80":
            raise Unsafe("is a pickle of a text protocol, which weights are not stored in")
        protocol = source.take(1)[0]
        if protocol not in PROTOCOLS:
            raise Broken(f"is a pickle of the unknown protocol {protocol}")

    def _result(self) -> Any:
        if len(self.stack) != 1 or self.outer:
            raise Broken("does not end with one value")
        return self.stack[0]

    def _list(self) -> list[Any]:
        target = self.top()
        if type(target) is not list:
            raise Unsafe("appends to something that is no list")
        return target

    def _dict(self) -> dict[Any, Any]:
        target = self.top()
        if type(target) is not dict:
            raise Unsafe("sets items of something that is no dictionary")
        return target


def _cost(argument: Any) -> tuple[int, int]:
    """Steps and bytes that copying an argument may take."""
    if type(argument) in (str, bytes):
        return 0, len(argument)
    return (len(argument) if type(argument) in (list, tuple, dict, set) else 0), 0


def _refusal(code: int) -> Exception:
    if code in REFUSED:
        return Unsafe(f"uses the instruction {REFUSED[code]}, which weights do not need")
    return Broken(f"holds an unknown instruction ({quoted(chr(code))})")


def _proto(machine: _Machine, _version: int) -> None:
    raise Broken("begins a second pickle inside the first")


_ACTIONS: dict[str, Callable[..., Any]] = {
    "PROTO": _proto,
    "FRAME": _Machine.frame,
    "MARK": _Machine.mark,
    "POP": lambda machine: machine.pop(),
    "POP_MARK": lambda machine: machine.since_mark(),
    "NONE": lambda machine: machine.push(None),
    "NEWTRUE": lambda machine: machine.push(True),
    "NEWFALSE": lambda machine: machine.push(False),
    "PUSH": _Machine.push,
    "EMPTY_LIST": lambda machine: machine.push([]),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "EMPTY_TUPLE": lambda machine: machine.push(()),
    "TUPLE": lambda machine: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "EMPTY_DICT": lambda machine: machine.push({}),
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "EMPTY_SET": lambda machine: machine.push(set()),
    "ADDITEMS": _Machine.add_items,
    "PUT": _Machine.put,
    "MEMOIZE": lambda machine: machine.put(len(machine.memo)),
    "GET": _Machine.get,
    "GLOBAL": lambda machine, names: machine.push(known(Symbol(*names))),
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
