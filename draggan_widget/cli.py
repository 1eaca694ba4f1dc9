"""The command `draggan-widget`: drag, replay, convert and info for checkpoint files, and doctor for bug reports.

An error is one line on stderr and exit status 2. torch is imported only once a file is read, and the packages of the
cache only where they are used: doctor must run where one of them is broken.
"""

import argparse
import dataclasses
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import draggan_widget
from draggan_widget import cli_drag
from draggan_widget.checkpoints.hub.catalog import UNKNOWN_LICENCE
from draggan_widget.checkpoints.stylegan2.config import StyleGAN2Config
from draggan_widget.errors import CheckpointError, ConfigError, DragganError
from draggan_widget.files import as_path, sha256

if TYPE_CHECKING:
    from draggan_widget.checkpoints.checkpoint import Checkpoint

SUFFIX = ".safetensors"
DESCRIPTION = (
    "Drag points of pictures that a GAN generates (DragGAN, Pan et al. 2023); COMMAND --help describes each command."
)
ERROR, INTERRUPTED = 2, 130  # exit statuses


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        arguments: the command line without the program's name; None takes that of this process.
    """
    parsed = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = cli_drag.warn_on_stderr
            status, lines = parsed.run(parsed)
    except (DragganError, OSError) as error:
        print(f"draggan-widget: {' '.join(str(error).split())}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print("draggan-widget: interrupted", file=sys.stderr)
        return INTERRUPTED
    for line in lines:
        print(line)
    return status


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    try:
        return _make_parser().parse_args(arguments)
    except SystemExit as error:
        hint = cli_drag.point_hint(arguments)
        if error.code and hint is not None:
            print(f"draggan-widget: {hint}", file=sys.stderr)
        raise


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="draggan-widget", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"draggan-widget {draggan_widget.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    cli_drag.add_commands(commands)
    convert = commands.add_parser(
        "convert", help=f"write a {SUFFIX} file that loads fast and runs no code", description=_convert.__doc__
    )
    info = commands.add_parser("info", help="show the contents of a checkpoint file", description=_info.__doc__)
    for command in (convert, info):
        command.add_argument("file", metavar="IN" if command is convert else "FILE", help="a checkpoint")
        command.add_argument(
            "--network", choices=("G_ema", "G", "D"), default="G_ema", help="the network to read (default: G_ema)"
        )
    convert.add_argument("out", metavar=f"OUT{SUFFIX}", help="the file to write")
    convert.add_argument("--force", action="store_true", help="overwrite an existing file")
    convert.set_defaults(run=_convert)
    info.set_defaults(run=_info)
    doctor = commands.add_parser(
        "doctor", help="report versions, device, memory and cache for a bug report", description=_doctor.__doc__
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _convert(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Read a checkpoint as data and write its network, configuration, licence and provenance to one file."""
    from draggan_widget.checkpoints import own_file

    source, out = as_path(parsed.file, "IN", CheckpointError), as_path(parsed.out, "OUT", CheckpointError)
    _check_output(source, out, parsed.force)
    checkpoint = _with_origin(_read(source, parsed.network))
    own_file.save(checkpoint, out)
    return 0, [f"{out}: {checkpoint.family}, {_describe_tensors(checkpoint)}", f"licence: {checkpoint.meta['licence']}"]


def _info(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Show a checkpoint's family, sizes, configuration, licence and provenance."""
    path = as_path(parsed.file, "FILE", CheckpointError)
    checkpoint = _with_origin(_read(path, parsed.network))
    rows = [
        ("file", str(path)),
        ("sha256", sha256(path)),
        ("family", checkpoint.family),
        *_describe_sizes(checkpoint),
        ("tensors", _describe_tensors(checkpoint)),
        *((f"config.{key}", value) for key, value in sorted(checkpoint.config.items())),
        *sorted(checkpoint.meta.items()),
    ]
    width = max(len(key) for key, _ in rows)
    return 0, [f"{key:{width}}  {value}" for key, value in rows]


def _doctor(parsed: argparse.Namespace) -> tuple[int, list[str]]:
    """Report versions, host, device, threads, memory and cache, and what to do about each; for a bug report."""
    from draggan_widget.diagnosis.doctor import doctor

    # A console of Windows may lack a letter of a path.
    encoding = sys.stdout.encoding or "utf-8"
    return 0, str(doctor()).encode(encoding, "backslashreplace").decode(encoding).splitlines()


def _read(path: Path, network: str) -> "Checkpoint":
    from draggan_widget.checkpoints.read import read_checkpoint

    return read_checkpoint(path, network)


def _check_output(source: Path, out: Path, force: bool) -> None:
    if out.suffix != SUFFIX:
        raise CheckpointError(f"OUT is {str(out)!r}; expected a name that ends in {SUFFIX}; add it")
    if os.path.exists(out) and os.path.exists(source) and out.samefile(source):
        raise CheckpointError(f"OUT {str(out)!r} is IN; expected another file; choose another name")
    if os.path.exists(out) and not force:
        raise CheckpointError(f"OUT {str(out)!r} exists; expected a new file; choose another name or pass --force")


def _with_origin(checkpoint: "Checkpoint") -> "Checkpoint":
    """Add licence, citation and origin, where the source file is that of a named checkpoint."""
    from draggan_widget.checkpoints.hub import cache

    meta = {"licence": UNKNOWN_LICENCE} | checkpoint.meta
    named = cache.recognise(meta.get("source_sha256", ""))
    if named is not None:
        meta |= {"licence": named.licence, "citation": named.citation, "origin": named.origin}
    return dataclasses.replace(checkpoint, meta=meta)


def _describe_sizes(checkpoint: "Checkpoint") -> list[tuple[str, str]]:
    if checkpoint.family != "stylegan2":
        side = checkpoint.config.get("resolution")
        return [] if side is None else [("picture", f"{side} x {side} px")]
    try:
        config = StyleGAN2Config.from_dict(checkpoint.config)
    except ConfigError as error:
        return [("picture", f"unknown ({error})")]
    height, width = config.image_size
    return [("picture", f"{width} x {height} px"), ("num_ws", str(config.num_ws))]


def _describe_tensors(checkpoint: "Checkpoint") -> str:
    size = sum(tensor.numel() * tensor.element_size() for tensor in checkpoint.tensors.values())
    return f"{len(checkpoint.tensors)} tensors, {size} bytes"
