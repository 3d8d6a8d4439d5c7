"""Hostile and damaged pickles, in both of torch's formats."""

import argparse
import builtins
import copyreg
import os
import pickle
import random
import subprocess
import tracemalloc

import numpy as np
import pytest

from tests.vpr_tf.models.torch_weights.legacy_pth_files import (
    MAGIC_NUMBER,
    Storage,
    Tensor,
    contiguous,
    fake_torch,
    legacy_bytes,
)
from tests.vpr_tf.models.torch_weights.zip_pth_files import archive_bytes, zip_bytes
from vpr_tf.models.torch_weights import restricted_unpickler
from vpr_tf.models.torch_weights.checkpoint import read_checkpoint
from vpr_tf.models.torch_weights.checkpoint_objects import CheckpointError

FORMATS = pytest.mark.parametrize("to_bytes", [legacy_bytes, zip_bytes])
MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def names_of_torch(monkeypatch):
    fake_torch(monkeypatch)


@pytest.fixture
def read(tmp_path):
    """Reads bytes; only a CheckpointError may come out, and little memory be used."""

    def read_bytes(data):
        path = tmp_path / "a.pth"
        path.write_bytes(data)
        tracemalloc.start()
        try:
            return read_checkpoint(path)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < MEGABYTE + 100 * len(data)

    return read_bytes


@pytest.fixture
def refuse(read):
    def refuse_bytes(data, message=""):
        with pytest.raises(CheckpointError, match=message):
            read(data)

    return refuse_bytes


def legacy_program(program):
    """A legacy file whose object is the given pickle."""
    header = (MAGIC_NUMBER, 1001, {"little_endian": True})
    parts = [pickle.dumps(value, protocol=2) for value in header]
    return b"".join([*parts, program, pickle.dumps([], protocol=2)])


def zip_program(program):
    return archive_bytes([("archive/data.pkl", program)])


PROGRAMS = pytest.mark.parametrize("to_file", [legacy_program, zip_program])


class Hostile:
    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) + (() if state is None else (state,))

    def __reduce__(self):
        return self.reduced


def make_folder(path):
    """What a hostile file tries, by several functions."""
    code = f"__import__('os').mkdir({str(path)!r})"
    return {
        "system": Hostile(os.system, f"mkdir {path}"),
        "mkdir": Hostile(os.mkdir, str(path)),
        "eval": Hostile(eval, code),
        "exec": Hostile(exec, code),
        "Popen": Hostile(subprocess.Popen, ["mkdir", str(path)]),
        "getattr": Hostile(getattr, Hostile(__import__, "os"), "mkdir"),
        "__import__": Hostile(__import__, "antigravity"),
        "open": Hostile(open, str(path), "w"),
    }


@FORMATS
@pytest.mark.parametrize("name", list(make_folder("")))
def test_other_callables_are_refused_and_do_not_run(tmp_path, refuse, to_bytes, name):
    victim = tmp_path / "victim"
    tensor = contiguous("0", np.zeros(2, "<f4"))
    content = {"weight": tensor, "z": make_folder(victim)[name]}
    data = to_bytes(content, [tensor.arguments[0]])
    expected = "__import__" if name == "getattr" else name
    refuse(data, rf"(?s)(getattr|{expected})`.*Nothing of it was run")
    assert not victim.exists()


@FORMATS
def test_hostile_call_inside_the_arguments_of_a_tensor(tmp_path, refuse, to_bytes):
    victim = tmp_path / "victim"
    storage = Storage("0", np.zeros(2, "<f4"))
    hostile = make_folder(victim)["mkdir"]
    content = {"weight": Tensor(storage, (hostile,), (1,))}
    refuse(to_bytes(content, [storage]), "mkdir`.*Nothing of it was run")
    assert not victim.exists()


def test_hostile_header_of_a_legacy_file(tmp_path, refuse):
    victim = tmp_path / "victim"
    refuse(pickle.dumps(make_folder(victim)["mkdir"], protocol=2), "mkdir`")
    assert not victim.exists()


@FORMATS
def test_hostile_value_of_a_training_checkpoint(tmp_path, refuse, to_bytes):
    victim = tmp_path / "victim"
    tensor = contiguous("0", np.zeros(2, "<f4"))
    options = argparse.Namespace(callback=make_folder(victim)["eval"])
    content = {"model_state_dict": {"w": tensor}, "args": options}
    refuse(to_bytes(content, [tensor.arguments[0]]), "eval`.*Nothing of it was run")
    assert not victim.exists()


ORDERED_DICT = b"ccollections\nOrderedDict\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
NAMESPACE = b"cargparse\nNamespace\n"
SCALAR = b"cnumpy._core.multiarray\nscalar\n"
DTYPE = b"cnumpy\ndtype\n"
ENCODE = b"c_codecs\nencode\n"


@PROGRAMS
@pytest.mark.parametrize(
    ("program", "message"),
    [
        # What calls or looks up names in other ways.
        (b"(cos\nsystem\nX\x02\0\0\0lso.", "system`"),
        (b"(X\x02\0\0\0lsios\nsystem\n.", "instruction b'i'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "system`"),
        (b"\x80\x04\x8c\x08builtins\x8c\x10getattr.__self__\x93.", "getattr"),
        (b"\x80\x02\x82\x01.", "instruction"),
        (b"\x80\x02\x83\x01\x02.", "instruction"),
        (b"\x80\x02\x84\x01\0\0\0.", "instruction"),
        (b"Pstorage\n.", "instruction b'P'"),
        (b"\x80\x04" + ORDERED_DICT + b")}\x92.", "instruction"),
        (b"\x80\x05\x97.", "instruction"),
        (b"\x80\x05\x96\0\0\0\0\0\0\0\x7f.", "instruction"),
        (b"\x80\x02K\x01Q.", "no storage"),
        (b"\x80\x02]Q.", "no storage"),
        (b"\x80\x06N.", "unknown version"),
        # Odd uses of what stands for names.
        (REBUILD + b")R.", "argument"),
        (REBUILD + b"}R.", "calls what is no function"),
        (b"]" + b")R.", "calls what is no function"),
        (ORDERED_DICT + b")R)R.", "calls what is no function"),
        (ORDERED_DICT + b"K\x05\x85R.", "no list of pairs"),
        (ORDERED_DICT + b"]](]K\x01ea\x85R.", "Keys must be"),
        (ORDERED_DICT + b"}b.", "has none"),
        (REBUILD + b"}X\x0c\0\0\0__setstate__cos\nsystem\nsb.", "system`"),
        (REBUILD + b"}X\x08\0\0\0__code__Nsb.", "has none"),
        (b"](}b.", "index"),
        (NAMESPACE + b")\x81}X\x01\0\0\0acos\nsystem\nsb.", "system`"),
        (SCALAR + b"K\x01K\x02\x86R.", "malformed NumPy"),
        (DTYPE + b"X\x02\0\0\0O8\x85R.", "no number"),
        (DTYPE + b"X\x05\0\0\0f8,f8\x85R.", "no number"),
        (DTYPE + b"X\x02\0\0\0f8\x85RK\x01b.", "malformed dtype"),
        (SCALAR + DTYPE + b"X\x02\0\0\0f8\x85RC\x03abc\x86R.", "size"),
        (SCALAR + DTYPE + b"X\x02\0\0\0f8\x85RC\x00\x86R.", "malformed NumPy"),
        (ENCODE + b"X\x01\0\0\0aX\x05\0\0\0idna \x86R.", "bytes that are no"),
        (ENCODE + b"X\x09\0\0\0aaaaaaaaaX\x06\0\0\0latin1\x86R.", "bytes that are no"),
        # Odd uses of the machine.
        (b".", "pop"),
        (b"\x80\x02h\x05.", "5"),
        (b"\x80\x02t.", "pop"),
        (b"\x80\x02}]Ns.", "Keys must be"),
        (b"\x80\x02}\x8a\x09\0\0\0\0\0\0\0\0\x01Ns.", "Keys must be"),
        (b"\x80\x02K\x01Na.", "no list"),
        (b"\x80\x02]NNs.", "no dictionary"),
        (b"\x80\x02}(Nu.", "no dictionary"),
        (b"c" + b"a" * 2000 + b"\nb\n.", "name without end"),
        (b"c\xff\n\xff\n.", "readable"),
        (b"\x80\x04K\x01K\x02\x93.", "no text"),
        (b"X\xff\xff\xff\xffa.", "declares a wrong size"),
        (b"\x80\x04\x8d\0\0\0\0\0\0\0\x7fa.", "declares a wrong size"),
        (b"\x80\x04\x8e\0\xe4\x0b\x54\x02\0\0\0a.", "declares a wrong size"),
    ],
)
def test_odd_programs_are_one_clear_error(refuse, to_file, program, message):
    refuse(to_file(program), message)


@PROGRAMS
def test_huge_index_of_the_memo_allocates_nothing(refuse, to_file):
    refuse(to_file(b"\x80\x02Nr\xff\xff\xff\x7f."), "must hold a state dict")


@PROGRAMS
def test_shared_tuples_that_unfold_to_a_billion(refuse, to_file):
    doubled = b"q\x00h\x00\x86" * 60
    refuse(to_file(b"\x80\x02N" + doubled + b"."), "must hold a state dict")
    refuse(to_file(b"\x80\x02}N" + doubled + b"Ns."), "Keys must be")


@PROGRAMS
def test_deep_and_cyclic_structures(refuse, to_file):
    deep = b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."
    refuse(to_file(deep), "must hold a state dict")
    refuse(to_file(b"\x80\x02]q\x00h\x00a."), "must hold a state dict")
    in_itself = b"\x80\x02}q\x00X\x01\0\0\0ah\x00s."
    refuse(to_file(in_itself), "No tensors by name are: a")


def test_more_objects_than_any_checkpoint_has(monkeypatch, refuse):
    monkeypatch.setattr(restricted_unpickler, "_MOST_INSTRUCTIONS", 10_000)
    refuse(zip_program(b"\x80\x02" + b"N0" * 5_000 + b"N."), "too many objects")


@PROGRAMS
def test_pairs_are_not_copied_again_and_again(refuse, to_file):
    pairs = b"".join(b"M" + bytes([n % 256, n // 256]) + b"N\x86" for n in range(9000))
    program = b"\x80\x02](" + pairs + b"eq\x00"
    program += (ORDERED_DICT + b"h\x00\x85R") * 400 + b"."
    refuse(to_file(program), "empty")


@PROGRAMS
def test_registered_extension_is_refused(refuse, to_file):
    copyreg.add_extension("os", "system", 240)
    try:
        # Plain pickle answers it without asking for a name.
        assert pickle.loads(b"\x80\x02\x82\xf0.") is os.system
        refuse(to_file(b"\x80\x02\x82\xf0X\x02\0\0\0ls\x85R."), "instruction")
    finally:
        copyreg.remove_extension("os", "system", 240)


def training_checkpoint():
    tensors = [contiguous(str(n), np.arange(6, dtype="<f4")) for n in range(2)]
    content = {
        "epoch_num": 3,
        "model_state_dict": {"w": tensors[0]},
        "classifiers_state_dict": [],
        "optimizer_state_dict": {"state": {0: {"exp_avg": tensors[1]}}, "lr": 1e-5},
        "best_val_recall1": np.float64(50.0),
        "args": argparse.Namespace(size=(1, 2), name="x"),
    }
    return content, [tensor.arguments[0] for tensor in tensors]


@FORMATS
def test_flipped_bits_never_do_anything_else(monkeypatch, read, to_bytes):
    """Nothing but a CheckpointError, no name looked up, little memory."""
    whole = to_bytes(*training_checkpoint())
    assert list(read(whole).state_dict) == ["w"]
    imported = []
    real_import = builtins.__import__
    rng = random.Random(0)

    def watched_import(name, *arguments, **options):
        imported.append(name)
        return real_import(name, *arguments, **options)

    refused = 0
    monkeypatch.setattr(builtins, "__import__", watched_import)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 5))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        try:
            read(bytes(damaged))
        except CheckpointError:
            refused += 1
    monkeypatch.undo()
    assert refused > 80
    assert not {"os", "posix", "subprocess"} & set(imported)


@FORMATS
def test_random_programs_never_do_anything_else(read, to_bytes):
    rng = random.Random(1)
    to_file = legacy_program if to_bytes is legacy_bytes else zip_program
    names = (ORDERED_DICT, REBUILD, NAMESPACE, SCALAR, DTYPE, ENCODE)
    opcodes = [bytes([code]) for code in range(256)]
    likely = [b"(", b")", b"}", b"]", b"K\x03", b"N", b"R", b"b", b"\x81", b"s", b"a"]
    likely += [b"t", b"\x85", b"\x86", b"u", b"e", b"q\x01", b"h\x01", b"Q", *names]
    for _ in range(500):
        program = b"".join(
            rng.choice(likely if rng.random() < 0.9 else opcodes)
            for _ in range(rng.randrange(1, 20))
        )
        with pytest.raises(CheckpointError):
            read(to_file(b"\x80\x02" + program + b"."))
