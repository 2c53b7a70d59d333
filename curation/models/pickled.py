"""What a pickle of PyTorch says, without running it.

Pickle is a program for a stack machine, and may call any function there is. Here its steps are
walked, those alone that a dict of tensors takes. Nothing is imported: of all globals two mean
something, and the rest are names.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any, NamedTuple

DICT, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"


class Storage(NamedTuple):
    """The numbers of one tensor, or of several."""

    dtype: str
    """`torch FloatStorage` and the like."""

    key: str
    """Its name among the file's."""

    length: int
    """How many numbers."""


class Tensor(NamedTuple):
    """A tensor as a pickle describes it; none of it is checked yet."""

    storage: Storage
    offset: int
    """Of its first number in the storage."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """Numbers from one element to the next, by axis."""


class _Global(NamedTuple):
    name: str


class _Machine:
    """Stack, marks and memo of the machine that pickles are programs for."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def pop(self, count: int) -> list[Any]:
        """The last values, taken off the stack."""
        start = len(self.stack) - count
        if start < 0:
            raise ValueError("a step of it wants more values than there are")
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def pop_marked(self) -> list[Any]:
        """The values since the last mark."""
        return self.pop(len(self.stack) - self.marks.pop())


def value(file: IO[bytes]) -> Any:  # noqa: ANN401
    """The dict, list, text, number or `Tensor` that the pickle at the file's place stands for.

    The file is left behind the end of the pickle.

    Raises:
        ValueError: it wants a global or a step that no dict of tensors needs; naming it.
        ArithmeticError, AttributeError, LookupError, TypeError: it is no pickle that anything
            wrote.
    """
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name == "STOP":
            break
        if name in _CONSTANTS:
            machine.stack.append(_CONSTANTS[name]())
        elif name in _LITERALS:
            machine.stack.append(argument)
        elif name in _STEPS:
            _STEPS[name](machine, argument)
        else:
            raise ValueError(f"no dict of tensors needs {name}")
    [result] = machine.pop(1)
    return result


def _put(machine: _Machine, place: int | None) -> None:
    machine.memo[len(machine.memo) if place is None else place] = machine.stack[-1]


def _set_items(machine: _Machine, values: list[Any]) -> None:
    machine.stack[-1].update(zip(values[::2], values[1::2], strict=True))


def _append(machine: _Machine, values: list[Any]) -> None:
    machine.stack[-1].extend(values)


def _drop(machine: _Machine, _: object) -> None:
    machine.pop(1)


def _reduce(machine: _Machine, _: object) -> None:
    function, arguments = machine.pop(2)
    if function == _Global(DICT) and arguments == ():
        machine.stack.append({})
    elif function == _Global(TENSOR):
        storage, offset, shape, strides, *_flags = arguments
        machine.stack.append(Tensor(storage, offset, shape, strides))
    else:
        raise ValueError(f"it wants to call {getattr(function, 'name', function)}")


def _find_storage(machine: _Machine, _: object) -> None:
    [(kind, dtype, key, _device, length, *_views)] = machine.pop(1)
    if kind != "storage" or not isinstance(dtype, _Global):
        raise ValueError(f"it refers to something outside that is no storage: {kind}")
    machine.stack.append(Storage(dtype.name, key, length))


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_marked())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.pop(3))),
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _put,
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "SETITEM": lambda machine, _: _set_items(machine, machine.pop(2)),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.pop_marked()),
    "APPEND": lambda machine, _: _append(machine, machine.pop(1)),
    "APPENDS": lambda machine, _: _append(machine, machine.pop_marked()),
    "GLOBAL": lambda machine, name: machine.stack.append(_Global(name)),
    "STACK_GLOBAL": lambda machine, _: machine.stack.append(_Global(" ".join(machine.pop(2)))),
    "BINPERSID": _find_storage,
    "REDUCE": _reduce,
    # Attributes of the dict, such as the versions of modules: no tensors.
    "BUILD": _drop,
}
