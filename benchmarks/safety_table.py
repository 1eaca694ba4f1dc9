"""Three readers on the hostile test files: ours, `torch.load(weights_only=True)` and fickling's check.

`python -m benchmarks.safety_table [PYTHON_WITH_FICKLING]` prints a table. fickling is not a dependency: give the
interpreter of an environment that has it. Each file is read in a process of its own, limited to 10 s and 3 GB. It runs
on Linux only.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SECONDS = 2.0  # bound of processor time
MEMORY = 64 << 20  # bytes: bound of memory, in addition to 1.3 times the size of the file
TIMEOUT = 10  # seconds
ADDRESS_SPACE = 3 << 30  # bytes


def make_reader(name: str):
    """A function that reads a path, or raises."""
    if name == "ours":
        from draggan_widget.checkpoints.read import read_checkpoint

        return read_checkpoint
    if name == "torch":
        import torch

        return lambda path: torch.load(path, weights_only=True, map_location="cpu")
    import fickling  # type: ignore[import-not-found]
    from fickling.analysis import Severity  # type: ignore[import-not-found]

    def check(path: Path) -> None:
        zipped = path.read_bytes()[:2] == b"PK"
        found = fickling.scan_zip_archive(str(path), True) if zipped else fickling.scan_file(str(path), True)
        if any(result.severity != Severity.LIKELY_SAFE for result in (found.values() if zipped else [found])):
            raise ValueError("flagged")

    return check


def memory(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


def attempt(read, path: Path) -> dict[str, object]:
    Path("/proc/self/clear_refs").write_text("5")
    before, start = memory("VmRSS"), time.process_time()
    try:
        read(path)
        outcome = "opened"
    except MemoryError:
        outcome = "out of memory"
    except Exception as error:  # noqa: BLE001
        outcome = "out of memory" if "alloc" in str(error) else "refused"
    return {"outcome": outcome, "seconds": time.process_time() - start, "growth": memory("VmHWM") - before}


def attempt_in_child(read, path: Path) -> dict[str, object]:
    out, into = os.pipe()
    child = os.fork()
    if not child:
        limit = memory("VmSize") + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        signal.alarm(TIMEOUT)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        os.write(into, json.dumps(attempt(read, path)).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if text:
        return json.loads(text)
    hang = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
    return {"outcome": "hangs" if hang else "crashes", "seconds": TIMEOUT, "growth": 0}


def read_folder(name: str, folder: Path) -> None:
    """Read every file of a folder with one reader; print one line of JSON for each."""
    read = make_reader(name)
    os.chdir(folder)
    for path in sorted(folder.iterdir()):
        if path.name != "RAN":
            print(json.dumps({"file": path.name, **attempt_in_child(read, path)}), flush=True)


def run_reader(python: str, name: str, folder: Path) -> dict[str, dict]:
    command = [python, "benchmarks/safety_table.py", "--reader", name, str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()} if name == "ours" else None
    lines = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
    return {found["file"]: found for found in map(json.loads, lines)}


def summarise(found: list[tuple[dict, int]]) -> str:
    """Count the outcomes of a group's files, and those over the bounds of time and memory."""
    counts: dict[str, int] = {}
    for entry, size in found:
        slow = entry["seconds"] > SECONDS or entry["growth"] > MEMORY + 1.3 * size
        word = entry["outcome"] + (", over the bound" if slow and entry["outcome"] in ("opened", "refused") else "")
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items(), key=lambda item: -item[1]))


def good_files() -> dict[str, tuple[bytes, str]]:
    """A pickle and two torch files that every reader should open."""
    import io

    import torch

    from tests.checkpoints import nvidia_writer
    from tests.generators.tiny_stylegan2 import TINY, random_tensors

    tensors = random_tensors(TINY)
    made = {"NVIDIA pickle": (nvidia_writer.dumps(nvidia_writer.snapshot(TINY.to_dict(), tensors)), "")}
    for key, new in (("torch archive", True), ("torch file, older", False)):
        torch.save(tensors, file := io.BytesIO(), _use_new_zipfile_serialization=new)
        made[key] = (file.getvalue(), "")
    return made


def main() -> None:
    if sys.argv[1:2] == ["--reader"]:
        read_folder(sys.argv[2], Path(sys.argv[3]))
        return
    from tests.checkpoints.hostile import groups

    planned = {"good files, for comparison": good_files()} | groups()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {}
        for group, planted in planned.items():
            for index, (key, (data, _)) in enumerate(planted.items()):
                files[f"{group}-{index:03d}"] = (group, key, len(data))
                (folder / f"{group}-{index:03d}").write_bytes(data)
        found = {name: run_reader(sys.executable, name, folder) for name in ("ours", "torch")}
        if len(sys.argv) > 1:
            found["fickling"] = run_reader(sys.argv[1], "fickling", folder)
        ran = (folder / "RAN").exists()
    print("| group | files | " + " | ".join(found) + " |\n|---|---|" + "---|" * len(found))
    for group in planned:
        own = [(file, size) for file, (of, _, size) in files.items() if of == group]
        cells = [summarise([(entries[file], size) for file, size in own]) for entries in found.values()]
        print(f"| {group} | {len(own)} | " + " | ".join(cells) + " |")
    print(f"\nA planted command ran: {'yes' if ran else 'no'}.")
    for reader_name, entries in found.items():
        bad = {"hangs", "crashes", "out of memory"}
        names = [f"{files[f][1]} ({e['outcome']})" for f, e in entries.items() if e["outcome"] in bad]
        print(f"{reader_name}: " + ("; ".join(names) or "none hangs, crashes or runs out of memory"))


if __name__ == "__main__":
    main()
