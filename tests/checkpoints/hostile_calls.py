"""Pickles that name, call or build what they should not."""

import struct
from collections.abc import Callable

from tests.checkpoints.opcodes import (
    COMMAND,
    blob,
    call,
    mapping,
    module,
    name,
    number,
    pair,
    record,
    snapshot,
    tensor,
    text,
    tuple_of,
    whole,
    with_tensor,
)

Plant = Callable[[str, bytes, str], None]  # (name, file, part of the error it is refused with)


def globals(plant: Plant) -> None:
    for full, argument in {
        "os.system": text(COMMAND),
        "posix.system": text(COMMAND),
        "nt.system": text(COMMAND),
        "subprocess.Popen": text(COMMAND),
        "subprocess.check_output": text(COMMAND),
        "builtins.eval": text("__import__('os').system('touch RAN')"),
        "builtins.exec": text("open('RAN', 'w')"),
        "builtins.getattr": text("x"),
        "builtins.__import__": text("os"),
        "builtins.open": text("RAN"),
        "builtins.bytearray": number(2**40),
        "builtins.range": number(2**62),
        "builtins.dict": b"}",
        "__builtin__.eval": text("1"),
        "runpy.run_path": text("x"),
        "webbrowser.open": text("http://localhost"),
        "operator.attrgetter": text("system"),
        "functools.partial": text("x"),
        "importlib.import_module": text("os"),
        "pickle.loads": blob(b"cos\nsystem\n."),
        "torch.load": text("x"),
        "torch.hub.load": text("x"),
        "torch.jit.load": text("x"),
        "torch.storage.UntypedStorage": number(2**60),
        "torch._utils._rebuild_tensor": b"N",
        "torch.serialization.load": text("x"),
        "torch.empty": number(2**50),
        "numpy.load": text("x"),
        "numpy.testing._private.utils.runstring": text("x"),
        "numpy.core.multiarray.fromfile": text("x"),
        "copyreg._reconstructor": b"N",
        "copyreg.__newobj__": b"N",
        "types.CodeType": b"N",
        "types.FunctionType": b"N",
        "collections.defaultdict": b"N",
        "draggan_widget.checkpoints.read.read_checkpoint": text("x"),
        "torch_utils.persistence.import_hook": text("x"),
        "dnnlib.util.call_func_by_name": text("os.system"),
    }.items():
        plant(f"global {full}", whole(call(full, argument)), f"the global {full}")
        if full.endswith(("system", "eval", "exec", "open")):
            plant(f"global inside a network: {full}", with_tensor(call(full, argument)), f"the global {full}")
    plant("nested reduces", whole(b"cbuiltins\ngetattr\n" + call("os.system", text(COMMAND)) + b"\x85R"), "getattr")
    plant(
        "STACK_GLOBAL os.system", whole(text("os") + text("system") + b"\x93" + text(COMMAND) + b"\x85R"), "os.system"
    )
    plant("STACK_GLOBAL dotted", whole(text("torch") + text("_utils._rebuild_parameter") + b"\x93"), "the global torch")
    plant("STACK_GLOBAL dotted to os", whole(text("torch") + text("os.system") + b"\x93"), "the global torch.os.system")
    plant("STACK_GLOBAL of numbers", whole(b"K\x01K\x02\x93"), "names a global by 1 and 2")
    plant("STACK_GLOBAL of lists", whole(b"]]\x93"), "names a global by a list of 0")
    plant("protocol 0", b"cos\nsystem\n(S'touch RAN'\ntR.", "the global os.system")
    plant("protocol 0, string first", b"(S'touch RAN'\nios\nsystem\n.", "the global os.system")
    plant("INST", whole(b"(" + text(COMMAND) + b"ios\nsystem\n"), "the global os.system")
    plant("INST of a known name", whole(b"(icollections\nOrderedDict\n"), "opcode INST")
    plant("OBJ", whole(b"(" + name("collections.OrderedDict") + b"o"), "opcode OBJ")
    plant("OBJ os.system", whole(b"(" + name("os.system") + text(COMMAND) + b"o"), "the global os.system")
    plant("NEWOBJ", whole(name("collections.OrderedDict") + tuple_of(text("x")) + b"\x81"), "no arguments")
    plant("NEWOBJ of a function", whole(name("torch._utils._rebuild_parameter") + b")\x81"), "a plain container")
    plant("NEWOBJ of a list", whole(b"])\x81"), "a plain container")
    plant("NEWOBJ_EX", whole(name("collections.OrderedDict") + b")}\x92"), "opcode NEWOBJ_EX")
    plant("PERSID", whole(b"Pos.system\n"), "opcode PERSID")
    plant("BINPERSID", whole(text("os.system") + b"Q"), "opcode BINPERSID")
    for code, length in ((0x82, 1), (0x83, 2), (0x84, 4)):
        plant(f"EXT{length}", whole(bytes([code]) + b"\x01" * length), f"opcode EXT{length}")
    plant("NEXT_BUFFER", whole(b"\x97\x98"), "opcode NEXT_BUFFER")
    plant("BYTEARRAY8", whole(b"\x96" + struct.pack("<Q", 2**62)), "opcode BYTEARRAY8")
    plant("an opcode that is none", whole(b"\xff"), "opcode 0xff")


def states(plant: Plant) -> None:
    state = mapping(pair("__setstate__", text("x")))
    plant("BUILD on a list", whole(b"]" + state + b"b"), "sets the state of a list")
    plant("BUILD on a record", snapshot(module() + state + b"b"), "sets the state of a PersistentObject")
    plant(
        "BUILD on a global",
        whole(name("torch._utils._rebuild_parameter") + state + b"b"),
        "sets the state of an AllowedGlobal",
    )
    plant("BUILD on a tensor", with_tensor(tensor() + state + b"b"), "sets the state of a StoredTensor")
    plant("BUILD with a tuple", whole(b"}" + tuple_of(b"N", state) + b"b"), "to a tuple of 2")
    plant(
        "BUILD of an easy dict, code within",
        whole(name("dnnlib.util.EasyDict") + b")\x81" + name("os.system") + b"b"),
        "os.system",
    )
    plant("REDUCE of a list", whole(b"])R"), "calls a list")
    plant("REDUCE with a list", whole(name("collections.OrderedDict") + b"]R"), "with a list")
    plant("REDUCE of a storage type", whole(name("torch.FloatStorage") + b")R"), "calls torch.FloatStorage")
    plant("REDUCE of its own result", whole(name("collections.OrderedDict") + b")R)R"), "calls a dict")
    coded = name("_codecs.encode") + b"q\x00" + text("a" * 4096) + text("latin1") + b"\x86q\x01"
    plant("one text coded 80,000 times", whole(coded + b"](" + b"h\x00h\x01R" * 80_000 + b"e"), "a dict of networks")
    plant("OrderedDict of pairs", whole(call("collections.OrderedDict", b"]")), "collections.OrderedDict gets")
    plant("set of a dict", whole(call("builtins.set", b"}")), "set gets")
    plant(
        "persistent object of text",
        whole(call("torch_utils.persistence._reconstruct_persistent_obj", text("x"))),
        "gets",
    )
    plant("persistent object of nothing", whole(call("torch_utils.persistence._reconstruct_persistent_obj")), "gets ()")
    meta = mapping(pair("type", text("function")), pair("class_name", text("os.system")), pair("state", b"}"))
    plant(
        "persistent function",
        whole(call("torch_utils.persistence._reconstruct_persistent_obj", meta)),
        "expected a class",
    )
    plant("persistent state is a list", snapshot(record(wrap=b"]")), "state a list of 0")
    plant("no _parameters", snapshot(record()), "_modules that are None")
    plant("_modules is a list", snapshot(module(modules=b"]")), "_modules that are a list")
    plant("a module is text", snapshot(module(modules=mapping(pair("a", text("x"))))), "module a is 'x'")
    plant("a parameter is a number", snapshot(module(mapping(pair("a", b"K\x01")))), "a is 1")
    plant("a dotted parameter", snapshot(module(mapping(pair("a.b", tensor())))), "short plain names")
    plant("a numbered parameter", snapshot(module(b"}K\x01" + tensor() + b"s")), "short plain names")
    plant("no tensors", snapshot(module()), "blocks none")
