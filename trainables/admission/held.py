"""Data that a model or a loss holds besides its parameters and buffers.

A pack and a checkpoint know parameters and buffers. Anything else that decides a number, such as a tensor in an
attribute, a counter or a generator, can only be found by looking at all that the object refers to.
"""

import hashlib
import itertools
import random
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

MAX_LEAVES = 20_000  # a larger structure, such as a tokenizer's vocabulary, is looked at in part
MAX_DEPTH = 12
_SAMPLED = 2**22  # numbers of a tensor above which a sample stands for it: hashing 16 MB takes 10 ms
_OF_TORCH = frozenset(vars(nn.Module()))
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, torch.dtype, torch.device, torch.Size)
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random, torch.Generator, itertools.count)
_KEPT = (Tensor, np.ndarray, list, dict, deque, int, float, *_GENERATORS)
_FOREIGN = {"torch", "torchvision", "numpy", "trainables", *sys.stdlib_module_names} - {"__main__"}
_MAX_LENGTH = 10_000


class Leaf(NamedTuple):
    """One datum that is held.

    Attributes:
        value: a tensor, an array, a plain value, a generator of random numbers, or the length of a container.
        assign: puts another value in its place; None where that cannot be done.
    """

    value: Any
    assign: Callable[[Any], None] | None = None

    @property
    def is_data(self) -> bool:
        """True for tensors, arrays and generators, which decide numbers wherever they are used."""
        return isinstance(self.value, (Tensor, np.ndarray, *_GENERATORS)) and not isinstance(
            self.value, itertools.count
        )

    @property
    def is_generator(self) -> bool:
        """True for a generator of random numbers or a counter."""
        return isinstance(self.value, _GENERATORS)


def held_by(model: nn.Module, loss: object = None) -> dict[str, Leaf]:
    """Return what a model, and a loss, hold besides registered parameters and buffers, by path.

    Args:
        model: the network; a path such as ``blocks.0.table`` starts at it.
        loss: the loss; its paths start with ``loss``.
    """
    registered = {id(t) for t in [*model.parameters(), *model.buffers()]}
    walk = _Walk(registered, {id(m) for m in model.modules()})
    return dict(itertools.islice(_roots(walk, model, loss), MAX_LEAVES))


def digests(leaves: Mapping[str, Leaf]) -> dict[str, object]:
    """Return a value for each leaf that is equal as long as the leaf has not changed."""
    return {path: digest(leaf.value) for path, leaf in leaves.items()}


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the paths whose digests differ, or that only one side has."""
    return [path for path in {**before, **after} if before.get(path, ...) != after.get(path, ...)]


def digest(value: object) -> object:
    """Return a value that two data share if they are the same bit for bit."""
    match value:
        case Tensor():
            return _tensor_digest(value)
        case np.ndarray():
            return value.dtype.str, value.shape, repr(value) if value.dtype.hasobject else _hash(value)
        case np.random.Generator() | np.random.RandomState():
            return repr(_numpy_state(value))
        case random.Random():
            return value.getstate()
        case torch.Generator():
            return value.get_state().numpy().tobytes()
        case _:
            return type(value).__name__, repr(value)


def _tensor_digest(value: Tensor) -> object:
    head = str(value.dtype), tuple(value.shape), value.device.type
    try:
        flat = value.detach().reshape(-1)
        flat = flat[:: 1 + flat.numel() // _SAMPLED] if flat.numel() > _SAMPLED else flat
        return *head, _hash(flat.cpu().contiguous().view(torch.uint8).numpy())
    except (RuntimeError, TypeError, NotImplementedError):  # on meta, sparse, or of a transform that has ended
        return head


def _numpy_state(generator: np.random.Generator | np.random.RandomState) -> object:
    if isinstance(generator, np.random.RandomState):
        state: Any = generator.get_state(legacy=False)
        return _flat(state)
    return _flat(generator.bit_generator.state)


def _flat(state: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Return a nested dict as one of a single level."""
    flat: dict[str, object] = {}
    for key, value in state.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value.tobytes() if isinstance(value, np.ndarray) else value
    return flat


def _hash(array: Any) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()


def _roots(walk: "_Walk", model: nn.Module, loss: object) -> Iterator[tuple[str, Leaf]]:
    for name, module in model.named_modules():
        yield from walk.module(module, f"{name}." if name else "")
    if loss is not None:
        yield from walk.value(loss, "loss", None, 0)


class _Walk:
    """A walk over all that an object refers to, each object once."""

    def __init__(self, registered: set[int], modules: set[int]) -> None:
        self._registered, self._modules = registered, modules
        self._seen: dict[int, object] = {}  # keeps the objects, so that no other one gets their id

    def module(self, module: nn.Module, prefix: str, depth: int = 0) -> Iterator[tuple[str, Leaf]]:
        """Yield what a module holds besides parameters, buffers and submodules, then data of its class."""
        for key, value in list(vars(module).items()):
            if key not in _OF_TORCH:
                yield from self.value(value, f"{prefix}{key}", partial(vars(module).__setitem__, key), depth + 1)
        for cls in type(module).__mro__:
            if not _is_foreign(cls):
                yield from self._class(cls, prefix, depth, hidden=vars(module).keys())

    def _class(self, cls: type, prefix: str, depth: int, hidden: Collection[str]) -> Iterator[tuple[str, Leaf]]:
        for key, value in list(vars(cls).items()):
            if isinstance(value, FunctionType):
                yield from self._function(value, key, depth + 1)
            elif not key.startswith("__") and key not in hidden and isinstance(value, _KEPT):
                yield from self.value(value, f"{prefix}{key}", partial(setattr, cls, key), depth + 1)

    def value(
        self, value: Any, path: str, assign: Callable[[Any], None] | None, depth: int
    ) -> Iterator[tuple[str, Leaf]]:
        """Yield the leaves below one value."""
        if isinstance(value, _PLAIN):
            yield path, Leaf(value, assign)
            return
        if id(value) in self._seen or id(value) in self._registered or id(value) in self._modules or depth > MAX_DEPTH:
            return
        self._seen[id(value)] = value
        if isinstance(value, (Tensor, np.ndarray, *_GENERATORS)):
            if not (isinstance(value, Tensor) and is_lazy(value)):
                yield path, Leaf(value, assign or _in_place(value))
            return
        yield from self._children(value, path, assign, depth + 1)

    def _children(
        self, value: Any, path: str, assign: Callable[[Any], None] | None, depth: int
    ) -> Iterator[tuple[str, Leaf]]:
        match value:
            case nn.Module():
                yield from self._unregistered(value, path, depth)
            case dict():
                for key, item in list(value.items()):
                    yield from self.value(item, f"{path}[{key!r}]", partial(value.__setitem__, key), depth)
            case list() | deque():
                yield f"len({path})", Leaf(len(value), Resize(value))
                for i, item in enumerate(list(value)):
                    yield from self.value(item, f"{path}[{i}]", partial(value.__setitem__, i), depth)
            case tuple():
                for i, item in enumerate(value):
                    replace = assign and partial(_replace_in_tuple, assign, value, i)
                    yield from self.value(item, f"{path}[{i}]", replace, depth)
            case set() | frozenset():
                yield path, Leaf(tuple(sorted(map(repr, value))))
            case _:
                yield from self._object(value, path, depth)

    def _unregistered(self, module: nn.Module, path: str, depth: int) -> Iterator[tuple[str, Leaf]]:
        """Yield all that a module holds which torch does not know as a submodule."""
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            yield from self.value(tensor, f"{path}.{name}", None, depth)
        for name, part in module.named_modules():
            if id(part) not in self._modules:
                yield from self.module(part, f"{path}.{name}." if name else f"{path}.", depth)

    def _object(self, value: Any, path: str, depth: int) -> Iterator[tuple[str, Leaf]]:
        """Yield what a function remembers, or the attributes of an object of a user's class."""
        match value:
            case FunctionType():
                yield from self._function(value, path, depth)
            case MethodType():
                yield from self.value(value.__self__, path, None, depth)
            case partial():
                for i, part in enumerate((value.func, *value.args, *value.keywords.values())):
                    yield from self.value(part, f"{path}:{i}", None, depth)
            case type() | ModuleType():
                return
            case _:
                if not _is_foreign(type(value)) and hasattr(value, "__dict__"):
                    for key, item in list(vars(value).items()):
                        yield from self.value(item, f"{path}.{key}", partial(vars(value).__setitem__, key), depth)

    def _function(self, function: FunctionType, path: str, depth: int) -> Iterator[tuple[str, Leaf]]:
        """Yield what a function refers to: variables around it, global variables, and defaults."""
        if _is_foreign(function) or depth > MAX_DEPTH:
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            yield from self.value(_content(cell), f"{path}:{name}", partial(setattr, cell, "cell_contents"), depth)
        variables = function.__globals__
        for name in _names(function.__code__):
            if isinstance(variables.get(name), (*_KEPT, nn.Module, FunctionType)):
                yield from self.value(variables[name], f"{path}:{name}", partial(variables.__setitem__, name), depth)
        for i, default in enumerate(function.__defaults__ or ()):
            yield from self.value(default, f"{path}:default[{i}]", None, depth)


class Resize:
    """Gives a list another length, with its elements over and over."""

    def __init__(self, values: "list[Any] | deque[Any]") -> None:
        """Remember the elements of ``values``."""
        self._values, self._elements = values, list(values)

    def __call__(self, length: int) -> None:
        """Set the length."""
        length = max(0, min(length, _MAX_LENGTH))
        copies = itertools.islice(itertools.cycle(self._elements), length) if self._elements else ()
        elements = list(copies)
        self._values.clear()
        self._values.extend(elements)


def _replace_in_tuple(assign: Callable[[Any], None], values: tuple[Any, ...], position: int, value: Any) -> None:
    items = [*values[:position], value, *values[position + 1 :]]
    assign(type(values)(*items) if hasattr(values, "_fields") else tuple(items))


def _in_place(value: Any) -> Callable[[Any], None] | None:
    """Return a function that writes another value into a tensor or an array; None for a generator."""
    if isinstance(value, Tensor):
        return partial(_copy_into, value)
    return partial(np.copyto, value) if isinstance(value, np.ndarray) else None


def _copy_into(tensor: Tensor, value: Tensor) -> None:
    tensor.data.copy_(value)


def _is_foreign(thing: Any) -> bool:
    """Return whether a class or function is of an installed library, and not of the user."""
    package = str(getattr(thing, "__module__", "")).partition(".")[0]
    return package in _FOREIGN or "site-packages" in str(getattr(sys.modules.get(package), "__file__", ""))


def _names(code: CodeType) -> set[str]:
    """Return the global names in a function's code, those of functions inside it too."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that has no value yet
        return None
