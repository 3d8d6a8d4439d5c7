"""Programs for the stack machine of pickle, as `.pth` files: random and hostile."""

from __future__ import annotations

import io
import pickletools
import random
import struct
import zipfile
from collections.abc import Callable

from benchmarks.hostile.inputs import Files
from benchmarks.hostile.watch import ABSOLUTE_OUTSIDE, OUTSIDE
from benchmarks.hostile.weights import (
    LEGACY_START,
    legacy_end,
    state_dict_pickle,
    zip_storages,
)

_BOMBS = 0.01  # of all; they take a hundred times as long
_PROTOCOL = b"\x80\x04"
_SECRET = f"../{OUTSIDE}/secret.txt"
_COMMANDS = (
    f"touch {ABSOLUTE_OUTSIDE}/made",
    f"rm -rf {ABSOLUTE_OUTSIDE}",
    f"open({ABSOLUTE_OUTSIDE + '/made'!r}, 'w')",
    f"__import__('os').remove({ABSOLUTE_OUTSIDE + '/secret.txt'!r})",
)
# What runs code, reads or writes, by the names that pickles use; then what torch's
# files name, to be called with arguments of other kinds.
_NAMES = (
    *(("os", "system"), ("posix", "system"), ("nt", "system"), ("os", "popen")),
    *(("subprocess", "call"), ("subprocess", "Popen"), ("builtins", "eval")),
    *(("builtins", "exec"), ("builtins", "open"), ("__builtin__", "eval")),
    *(("builtins", "__import__"), ("builtins", "getattr"), ("io", "open")),
    *(("shutil", "rmtree"), ("pathlib", "Path.unlink"), ("os", "remove")),
    *(("importlib", "import_module"), ("runpy", "run_path"), ("timeit", "timeit")),
    *(("torch", "load"), ("torch.hub", "load"), ("torch.jit", "load")),
    *(("numpy", "load"), ("numpy", "fromfile"), ("numpy.testing", "rundocs")),
    *(("keras.saving", "load_model"), ("tensorflow", "io.write_file")),
    *(("operator", "attrgetter"), ("operator", "methodcaller"), ("copyreg", "")),
    *(("functools", "partial"), ("types", "FunctionType"), ("code", "interact")),
    *(("vpr_tf.atomic_files", "write_json"), ("", ""), ("os\0", "system")),
)
_TORCH_NAMES = (
    *(("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor")),
    *(("torch._utils", "_rebuild_parameter"), ("collections", "OrderedDict")),
    *(("torch", "FloatStorage"), ("torch", "Size"), ("torch", "device")),
    *(("numpy", "dtype"), ("numpy.core.multiarray", "scalar"), ("_codecs", "encode")),
    *(("argparse", "Namespace"), ("torch", "BFloat16Storage")),
)
_INTEGERS = (0, 1, 2, 3, -1, 255, 256, 2**31 - 1, -(2**31), 2**31)
_TEXTS = ("", "a", "a.weight", "storage", "FloatStorage", "cpu", "0", "__class__")


def make_pickle(rng: random.Random) -> Files:
    """Returns a `.pth` file with a program that no checkpoint needs."""
    make = _bomb if rng.random() < _BOMBS else rng.choice(_PROGRAMS)
    program = make(rng)
    which = rng.random()
    if which < 0.5:
        data = _zip_of(program)
    elif which < 0.8:
        data = LEGACY_START + program + legacy_end()
    else:
        data = program
    return {"weights.pth": data, _SECRET: b"secret"}


def _zip_of(program: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        members = {"data.pkl": program, **zip_storages()}
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
    return file.getvalue()


# === Programs that would run something ===


def _exploit(rng: random.Random) -> bytes:
    """Calls a name in one of the ways that pickle has, inside of plain data."""
    module, name = rng.choice(_NAMES)
    argument = _text(rng.choice(_COMMANDS))
    named = rng.choice(
        (
            b"c" + f"{module}\n{name}\n".encode(),
            _text(module) + _text(name) + b"\x93",
            _text(module) + b"q\x01" + _text(name) + b"q\x02" + b"00h\x01h\x02\x93",
        )
    )
    called = rng.choice(
        (
            named + b"(" + argument + b"tR",
            named + argument + b"\x85R",
            b"(" + argument + b"i" + f"{module}\n{name}\n".encode(),
            b"(" + named + argument + b"o",
            named + argument + b"\x85\x81",
            named + argument + b"\x85}\x92",
            named + b")\x81}" + _text("__setstate__") + named + b"sb" + argument + b"b",
            bytes((0x82, rng.randrange(256))) + argument + b"\x85R",
            argument + b"Q",
            b"P" + argument[5:] + b"\n",
            b"ccollections\nOrderedDict\n)R}" + _text("__class__") + named + b"sb",
            b"ctorch._utils\n_rebuild_tensor_v2\n(" + named + argument + b"\x85RtR",
        )
    )
    before, after = rng.choice(
        ((b"", b""), (b"}" + _text("a"), b"s"), (b"(", b"t"), (b"]", b"a"))
    )
    return _PROTOCOL + before + called + after + b"."


# === Programs of any kind ===


def _random_program(rng: random.Random) -> bytes:
    """Returns instructions in any order; the stack is mostly deep enough."""
    program, depth = bytearray(_PROTOCOL if rng.random() < 0.8 else b""), 0
    for _ in range(rng.choice((3, 8, 20, 60))):
        code = rng.choice(pickletools.opcodes)
        taken = len([one for one in code.stack_before if one.name != "mark"])
        if taken > depth and rng.random() < 0.9:
            code = rng.choice(_PUSHING)
            taken = 0
        if code.name == "STOP" and rng.random() < 0.9:
            continue
        program += code.code.encode("latin1") + _argument(rng, code)
        depth = max(0, depth - taken) + len(code.stack_after)
    return bytes(program) + b"."


def _argument(rng: random.Random, code: pickletools.OpcodeInfo) -> bytes:
    """Returns the argument of an instruction, at times none that it could have."""
    if code.arg is None:
        return b""
    make = _ARGUMENTS.get(code.arg.name)
    if make is None or rng.random() < 0.05:
        return rng.randbytes(rng.choice((0, 1, 4, 9)))
    return make(rng)


def _integer(rng: random.Random, size: int, *, signed: bool = False) -> bytes:
    number = rng.choice(_INTEGERS) if rng.random() < 0.5 else rng.randrange(6)
    number %= 1 << (8 * size)
    return number.to_bytes(size, "little")


def _sized(rng: random.Random, size: int) -> bytes:
    """Returns bytes behind their number, which is wrong at times."""
    data = rng.choice(_TEXTS).encode()
    length = len(data) if rng.random() < 0.9 else rng.choice((255, 2**31, 2**63))
    return (length % (1 << (8 * size))).to_bytes(size, "little") + data


def _line(rng: random.Random, texts: tuple[object, ...]) -> bytes:
    return f"{rng.choice(texts)}\n".encode()


_Argument = Callable[[random.Random], bytes]
_ARGUMENTS: dict[str, _Argument] = {
    "uint1": lambda rng: _integer(rng, 1),
    "uint2": lambda rng: _integer(rng, 2),
    "int4": lambda rng: _integer(rng, 4),
    "uint4": lambda rng: _integer(rng, 4),
    "uint8": lambda rng: _integer(rng, 8),
    "float8": lambda rng: struct.pack(">d", rng.choice((0.0, 1e308, float("nan")))),
    "long1": lambda rng: _sized(rng, 1),
    "long4": lambda rng: _sized(rng, 4),
    "string1": lambda rng: _sized(rng, 1),
    "bytes1": lambda rng: _sized(rng, 1),
    "unicodestring1": lambda rng: _sized(rng, 1),
    "string4": lambda rng: _sized(rng, 4),
    "bytes4": lambda rng: _sized(rng, 4),
    "unicodestring4": lambda rng: _sized(rng, 4),
    "bytes8": lambda rng: _sized(rng, 8),
    "bytearray8": lambda rng: _sized(rng, 8),
    "unicodestring8": lambda rng: _sized(rng, 8),
    "stringnl": lambda rng: _line(rng, ("'a'", "''", '"b"', "a")),
    "stringnl_noescape": lambda rng: _line(rng, (*_TEXTS, *_COMMANDS)),
    "unicodestringnl": lambda rng: _line(rng, (*_TEXTS, r"\u0000", r"\ud800")),
    "decimalnl_short": lambda rng: _line(rng, (*_INTEGERS, "00", "01", "x")),
    "decimalnl_long": lambda rng: _line(rng, ("1L", "9" * 5000 + "L", "x")),
    "floatnl": lambda rng: _line(rng, ("1.5", "1e999", "nan", "x")),
    "stringnl_noescape_pair": lambda rng: "{}\n{}\n".format(
        *rng.choice(_NAMES + 3 * _TORCH_NAMES)
    ).encode(),
}
_PUSHING = [
    code
    for code in pickletools.opcodes
    if not code.stack_before and code.stack_after and code.name != "PERSID"
]

# === Programs that would take all memory or time ===


def _bomb(rng: random.Random) -> bytes:
    count = rng.choice((10, 100, 10_000))
    program = rng.choice(
        (
            b"]" + b"2\x85\x86"[: rng.randint(1, 3)] * count,  # each holds the former
            b"]q\0" + b"(h\0h\0tq\0" * min(count, 2000),  # each holds two of them
            b"]q\0h\0h\0a" + b"h\0h\0e" * count,
            b"(" * count + b"t" * count,
            b"\x8b" + struct.pack("<i", rng.choice((-1, 2**31 - 1, 2**20))),
            b"\x8e" + struct.pack("<Q", rng.choice((2**63, 2**40, 2**31))),
            b"\x96" + struct.pack("<Q", 2**40),
            b"I" + b"9" * 10 * count + b"\n",
            b"}" + b"".join(_text("x") + b"K\1s" for _ in range(count)),
            b"ctorch._utils\n_rebuild_tensor_v2\n((" + _storage(2**31 - 1) + b"QK\0("
            b"J" + struct.pack("<i", 2**31 - 1) + b"t(K\0tRtR",
            b"ctorch\nSize\n(" + b"J" + struct.pack("<i", 2**30) + b"tR",
            b"r" + struct.pack("<I", 2**32 - 1),
            b"Nr" + struct.pack("<I", 2**32 - 1),
        )
    )
    return _PROTOCOL + program + b"."


def _storage(size: int) -> bytes:
    content = _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu")
    return content + b"J" + struct.pack("<i", size) + b"t"


# === A state dict with more in it ===


def _changed_state_dict(rng: random.Random) -> bytes:
    """Returns a real state dict, with instructions put in or exchanged."""
    program = state_dict_pickle()
    starts = [at for _, _, at in pickletools.genops(program) if at is not None]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.choice(starts)
        code = rng.choice(pickletools.opcodes)
        made = code.code.encode("latin1") + _argument(rng, code)
        if rng.random() < 0.3:
            made = _exploit(rng)[len(_PROTOCOL) : -1]
        program = program[:at] + made + program[at + rng.choice((0, 0, 1)) :]
    return program


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


_PROGRAMS: tuple[Callable[[random.Random], bytes], ...] = (
    *(_exploit, _exploit, _random_program, _random_program, _random_program),
    *(_changed_state_dict, _changed_state_dict),
)
