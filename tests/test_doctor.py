"""`doctor()`: what it reports, what it advises, what it hides, and that no broken part keeps it from reporting."""

import builtins
import contextlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

import draggan_widget
from draggan_widget import cli, doctor
from draggan_widget.checkpoints.hub import cache
from draggan_widget.diagnosis import doctor as order
from draggan_widget.diagnosis import installation, machine, notebook, privacy, stored, torch_devices
from draggan_widget.diagnosis.report import Fact, Report
from draggan_widget.generators import load

pytestmark = pytest.mark.usefixtures("unchecked")
ROOT = Path(__file__).parents[1]
BROKEN = "RuntimeError: it is broken"
FLAGS = {"amx": {"amx_bf16", "avx512_bf16"}, "zen": {"avx512_bf16"}, "old": {"avx2"}, "unknown": set()}
GB = 10**9


def broken(*_: object, **__: object) -> Any:
    raise RuntimeError("it is\nbroken")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with a cache; programs that are not asked, since each answer takes a while."""
    home = tmp_path / "home"
    home.mkdir()
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.setenv("DRAGGAN_CACHE", str(home / "cache"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for module in (installation, machine, torch_devices):
        monkeypatch.setattr(module, "ask_program", lambda *command: "ffmpeg version 7.1-static Copyright")
    return home


def facts(probe: Callable[[], Iterator[Fact]]) -> dict[str, tuple[str, str]]:
    """Value and advice of each line of a probe."""
    return {fact.name: (fact.value, fact.advice) for fact in probe()}


# The report


def test_the_text_is_aligned_with_one_line_for_a_fact_and_its_advice_below():
    report = Report((Fact("torch", "2.13.0"), Fact("cache disk", "1 MB free", "free some space")))
    assert str(report) == (
        "torch       2.13.0\ncache disk  1 MB free\n            -> free some space\nto do       1 line above with ->"
    )
    assert str(Report((Fact("torch", "2.13.0"),))) == "torch  2.13.0\nto do  nothing"


def test_a_cell_shows_the_text_and_the_command_prints_it(capsys: pytest.CaptureFixture[str]):
    report = doctor()
    assert repr(report) == str(report)
    assert cli.main(["doctor"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    names = [line.split("  ")[0] for line in printed.out.splitlines() if not line.startswith(" ")]
    assert names == [*(fact.name for fact in report.facts), "to do"]


def test_the_report_tells_each_fact_in_the_same_order():
    names = [fact.name for fact in doctor().facts]
    assert names == [fact.name for fact in doctor().facts]
    assert len(names) == len(set(names))
    expected = [
        *("draggan-widget", "installation", "python", "platform", "host"),
        *("torch", "numpy", "ipywidgets", "ipycanvas", "anywidget", "matplotlib", "pillow", "pandas", "safetensors"),
        *("traitlets", "ipykernel", "ipython", "jupyterlab", "imageio-ffmpeg", "pyarrow", "zarr", "dlib-bin"),
        *("ffmpeg", "torch build", "device", "threads", "bfloat16", "memory"),
        *("cache", "cache contents", "cache disk", "workers"),
    ]
    assert [name for name in names if name in expected] == expected
    assert not [fact for fact in doctor().facts if "\n" in fact.value + fact.advice]


@pytest.mark.parametrize("place", range(len(order.PROBES)), ids=[name for name, _ in order.PROBES])
def test_a_broken_probe_is_one_line_and_the_others_still_tell(place: int, monkeypatch: pytest.MonkeyPatch):
    name = order.PROBES[place][0]
    probes = [(known, broken if number == place else probe) for number, (known, probe) in enumerate(order.PROBES)]
    own = {fact.name for fact in order.PROBES[place][1]()}
    before = [fact.name for fact in doctor().facts if fact.name not in own]
    monkeypatch.setattr(order, "PROBES", tuple(probes))
    after = doctor().facts
    assert Fact(name, f"not known: {BROKEN}") in after
    assert [fact.name for fact in after if fact.name != name] == before


BREAKS: dict[str, list[tuple[object, str]]] = {  # line -> what it needs
    "installation": [(metadata, "distribution")],
    "platform": [(platform, "platform")],
    "torch": [(metadata, "version")],
    "version ranges": [(metadata, "requires")],
    "ffmpeg": [(installation, "ask_program")],
    "device": [(load, "pick_device"), (torch.cuda, "is_available")],
    "gpu": [(torch.backends.mps, "is_available")],
    "threads": [(torch, "get_num_threads"), (os, "sched_getaffinity"), (machine, "cgroup_folders")],
    "bfloat16": [(machine, "_cpu_flags")],
    "torch on CPU": [(torch.backends.cpu, "get_cpu_capability")],
    "memory": [(machine, "cgroup_folders"), (machine, "_machine_memory")],
    "cache": [(cache, "cache_dir")],
    "cache contents": [(os, "walk")],
    "cache disk": [(shutil, "disk_usage")],
    "host": [(notebook, "find_shell")],
    "workers": [(stored.threading, "enumerate")],
}


@pytest.mark.parametrize(("line", "what"), [(line, what) for line, needs in BREAKS.items() for what in needs])
def test_whatever_a_line_needs_may_be_broken(line: str, what: tuple[object, str], monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr(*what, broken)
        found = {fact.name: fact.value for fact in doctor().facts}
    assert found[line] in (f"not known: {BROKEN}", f"not checked: {BROKEN}")
    assert {"draggan-widget", "python", "host"} <= set(found)


@pytest.mark.parametrize("module", ["torch", "packaging"])
def test_a_module_that_cannot_be_imported_is_told_with_a_remedy(module: str, monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == module or name.startswith(f"{module}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", refuse)
        report = doctor()
    advice = f"run python -m pip install --force-reinstall {module}, then restart the kernel or Python"
    assert advice in [fact.advice for fact in report.facts]
    assert "torch" in {fact.name for fact in report.facts if fact.value[0].isdigit()}


def test_nothing_is_downloaded_or_written(surroundings: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "socket", broken)
    doctor()
    assert list(surroundings.iterdir()) == []


# What it hides


def test_neither_the_home_folder_nor_the_user_s_name_nor_another_variable_is_told(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("USER", "zaphod")
    monkeypatch.setenv("HF_TOKEN", "secret-token")
    monkeypatch.setenv("OMP_NUM_THREADS", "secret-token")
    monkeypatch.setenv("DRAGGAN_CACHE", "/data/zaphod/cache")
    monkeypatch.setattr(sys, "executable", str(surroundings / "venv" / "bin" / "python"))
    text = str(doctor())
    assert "python, CPython, ~/venv/bin/python" in re.sub(r"\d+\.\d+\.\d+, ", "python, ", text)
    assert "/data/USER/cache (DRAGGAN_CACHE)" in text
    for private in (str(surroundings), "zaphod", "secret-token"):
        assert private not in text
    for value in (os.environ.get("PATH"), os.environ.get("HOSTNAME"), platform.node()):
        assert not value or value not in text


def test_an_error_of_a_probe_is_hidden_too(surroundings: Path, monkeypatch: pytest.MonkeyPatch):
    def fail() -> Iterator[Fact]:
        raise FileNotFoundError(2, "No such file or directory", str(surroundings / "kept"))

    monkeypatch.setattr(order, "PROBES", (("cache", fail),))
    assert doctor().facts == (
        Fact("cache", "not known: FileNotFoundError: [Errno 2] No such file or directory: '~/kept'"),
    )


@pytest.mark.parametrize(
    ("home", "user", "text", "shown"),
    [
        ("/home/ann", "ann", "/home/ann/x and '/home/ann'", "~/x and '~'"),
        ("/home/ann", "ann", "/home/anna/x, /scratch/ann/y", "/home/USER/x, /scratch/USER/y"),
        ("/home/ann", "ann", "/data/annotations/ann.txt", "/data/annotations/ann.txt"),
        ("/root", "root", "/root/x /rootfs /opt/root", "~/x /rootfs /opt/USER"),
        ("/", "ann", "/opt/x", "/opt/x"),
        ("/mnt/a.b", "", "/mnt/a.b/x /mnt/aXb/x", "~/x /mnt/aXb/x"),
        ("/home/ann", "ann", "C:\\Users\\bob\\x", "C:\\Users\\USER\\x"),
        ("/home/ann", "ann", "/Users/bob/x\nand\t/home/bob", "/Users/USER/x and /home/USER"),
        ("/home/ann", "ann", "/opt/\udcff", "/opt/\\udcff"),
    ],
)
def test_paths_are_told_without_the_person(
    home: str, user: str, text: str, shown: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(privacy, "_find_homes", lambda: iter([home]))
    monkeypatch.setattr(privacy, "_find_names", lambda: iter([user]))
    assert privacy.make_hider()(text) == shown


def test_a_user_whom_no_database_knows_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    import pwd

    def unknown(*_: object) -> Any:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    assert privacy.make_hider()("/opt/x") == "/opt/x"


# The installation


class Installed(metadata.Distribution):
    """An installation of draggan-widget in a folder that need not exist."""

    def __init__(self, place: Path, version: str = draggan_widget.__version__, **files: str):
        self._place, self._files = place, files | {"METADATA": f"Version: {version}\n"}

    def read_text(self, filename: str) -> str | None:
        return self._files.get(filename.partition(".")[0])

    def locate_file(self, path: object) -> Path:
        return self._place / str(path)


def installed(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **files: Any) -> tuple[str, str]:
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed(*arguments, **files))
    monkeypatch.setattr(draggan_widget, "__file__", "/site/draggan_widget/__init__.py")
    return facts(installation.probe_own)["installation"]


def test_the_report_tells_how_the_package_was_installed(monkeypatch: pytest.MonkeyPatch):
    site = Path("/site")
    assert installed(monkeypatch, site, INSTALLER="uv\n") == ("from a package index, by uv", "")
    here = json.dumps({"url": "file:///site", "dir_info": {"editable": True}})
    assert installed(monkeypatch, Path("/other"), direct_url=here) == (
        "editable",
        "",
    )
    git = {"url": "https://ann:secret@host.org/draggan.git?token=1", "vcs_info": {"commit_id": "0123456789abcdef"}}
    assert installed(monkeypatch, site, direct_url=json.dumps(git)) == (
        "from host.org/draggan.git at 0123456789ab",
        "",
    )


def test_another_copy_and_another_version_are_told(monkeypatch: pytest.MonkeyPatch):
    assert installed(monkeypatch, Path("/elsewhere"), INSTALLER="pip")[1] == (
        "the installed copy lies in /elsewhere: to use that one, leave the folder, or the PYTHONPATH, that holds the "
        "imported one"
    )
    assert installed(monkeypatch, Path("/site"), "0.0.9", INSTALLER="pip")[1] == (
        f"version {draggan_widget.__version__} is imported, 0.0.9 is installed: install it again, then restart the "
        "kernel or Python"
    )


def versions(monkeypatch: pytest.MonkeyPatch, requires: list[str] | None, **known: str) -> dict[str, tuple[str, str]]:
    def version(name: str) -> str:
        if name.replace("-", "_") not in known:
            raise metadata.PackageNotFoundError(name)
        return known[name.replace("-", "_")]

    def ask(name: str) -> list[str]:
        if requires is None:
            raise metadata.PackageNotFoundError(name)
        return requires

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", ask)
    return facts(installation.probe_packages)


def test_a_version_outside_the_range_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch):
    needs = [
        "anywidget<0.13,>=0.11",
        "Pillow>=10",
        "zarr>=2.16; extra == 'export'",
        "jupyter-client>=8; extra == 'dev'",
    ]
    found = versions(monkeypatch, needs, anywidget="0.9.21", pillow="9.5", zarr="2.10", jupyter_client="7.4.9")
    restart = "then restart the kernel or Python"
    assert found["anywidget"] == (
        "0.9.21",
        f'draggan-widget needs anywidget<0.13,>=0.11: run python -m pip install "anywidget<0.13,>=0.11", {restart}',
    )
    assert found["pillow"][1] == f'draggan-widget needs Pillow>=10: run python -m pip install "Pillow>=10", {restart}'
    assert found["zarr"][1] == f'draggan-widget needs zarr>=2.16: run python -m pip install "zarr>=2.16", {restart}'
    assert found["jupyter_client"] == ("7.4.9", "")  # only those who develop draggan-widget need another one


def test_a_version_within_the_range_needs_no_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "anywidget", raising=False)
    found = versions(
        monkeypatch, ["anywidget<0.13,>=0.11", "torch>=2.4"], anywidget="0.12.0rc1", torch=torch.__version__
    )
    assert (found["anywidget"], found["torch"]) == (("0.12.0rc1", ""), (str(torch.__version__), ""))


def test_a_missing_package_is_an_advice_only_where_the_widget_needs_it(monkeypatch: pytest.MonkeyPatch):
    found = versions(monkeypatch, ["anywidget>=0.11", "tqdm>=4.64"])
    assert found["anywidget"] == (
        "not installed",
        'run python -m pip install "anywidget>=0.11", then restart the kernel or Python',
    )
    assert found["tqdm"][0] == "not installed"
    assert found["imageio-ffmpeg"] == (
        'not installed; only .mp4 and .webm videos need it: python -m pip install "draggan-widget[export]"',
        "",
    )
    assert not {"notebook", "nbclassic", "marimo", "jupyterlab"} & set(found)


def test_versions_are_told_even_without_an_installation(monkeypatch: pytest.MonkeyPatch):
    assert versions(monkeypatch, None, numpy="2.1.3", notebook="7.6.0")["notebook"] == ("7.6.0", "")


def test_dlib_may_come_from_either_of_its_packages(monkeypatch: pytest.MonkeyPatch):
    assert versions(monkeypatch, [], dlib="19.24.6")["dlib-bin"] == ("19.24.6", "")


def test_a_package_that_was_updated_under_a_running_kernel_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "PIL", types.SimpleNamespace(__version__="11.3.0"))
    assert versions(monkeypatch, [], pillow="12.0.0")["pillow"] == (
        "12.0.0",
        "version 11.3.0 is loaded and 12.0.0 is installed: restart the kernel or Python",
    )


def test_an_ffmpeg_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.undo()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    advice = "without it, save_video writes .gif only: unset IMAGEIO_FFMPEG_EXE, or set it to an ffmpeg that runs"
    value, told = facts(installation.probe_ffmpeg)["ffmpeg"]
    assert value.startswith(f"{tmp_path / 'none'} does not answer: FileNotFoundError: ")
    assert told == advice
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", sys.executable)
    assert facts(installation.probe_ffmpeg)["ffmpeg"][1] == advice


# The notebook


def shell(**attributes: Any) -> types.SimpleNamespace:
    return types.SimpleNamespace(**{"user_ns": {}, "get_parent": dict, "kernel": object()} | attributes)


def host(monkeypatch: pytest.MonkeyPatch, ipykernel: str | None = "7.4.0", **attributes: Any) -> tuple[str, str]:
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell(**attributes)))
    monkeypatch.setattr(notebook, "installed_version", lambda name: ipykernel)
    return facts(notebook.probe_host)["host"]


NAMELESS = "a Jupyter kernel; its page does not name itself (nbclassic, nbconvert and others)"


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"get_parent": lambda: {"metadata": {"cellId": "a1"}}}, "JupyterLab or Notebook 7"),
        ({"get_parent": lambda: {"metadata": {}}}, NAMELESS),
        ({"get_parent": dict}, NAMELESS),
        ({"user_ns": {"__vsc_ipynb_file__": "/home/ann/a.ipynb"}}, "VS Code"),
        ({"kernel": None}, "IPython in a terminal, where no widget is shown"),
    ],
)
def test_the_host_is_named_as_far_as_the_kernel_can_know(
    attributes: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch
):
    assert host(monkeypatch, **attributes) == (name, "")


def test_colab_and_marimo_are_known_by_their_own_modules(monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
        assert host(patched, "7.0.0")[0] == "Google Colab"
    monkeypatch.setitem(sys.modules, "marimo", types.SimpleNamespace(running_in_notebook=lambda: True))
    assert host(monkeypatch) == ("marimo", "")


def test_plain_python_is_sent_to_a_cell(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert facts(notebook.probe_host)["host"] == (
        "Python without a notebook; for trouble in a notebook, call draggan_widget.doctor() in a cell: it may use "
        "another Python",
        "",
    )


def test_an_old_ipykernel_is_told_why_stop_waits(monkeypatch: pytest.MonkeyPatch):
    words = (
        "with ipykernel 6.31.0, Stop waits until the running cell has ended: begin a drag with the Start button, "
        "session.start() or await session.run_async(); the kernel's interrupt button ends session.run()"
    )
    update = '. Or run %pip install "ipykernel>=7", then restart the kernel or Python'
    assert host(monkeypatch, "6.31.0")[1] == words + update
    assert host(monkeypatch, None)[1] == ""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert host(monkeypatch, "6.31.0")[1] == words  # Colab needs its own ipykernel


# The machine


@pytest.mark.parametrize(
    ("threads", "processors", "cores", "asked", "value", "advice"),
    [
        (4, 8, 4, None, "4 threads of torch on 8 processors", ""),
        (8, 8, 4, "8", "8 threads of torch on 8 processors, OMP_NUM_THREADS is 8", ""),
        (1, 1, 1, None, "1 thread of torch on 1 processor", ""),
        (
            *(1, 8, 4, None, "1 thread of torch on 8 processors"),
            "a drag uses 1 of 4 to 8 possible threads: torch.set_num_threads(4) before it",
        ),
        (
            *(1, 2, 2, "1", "1 thread of torch on 2 processors, OMP_NUM_THREADS is 1"),
            "a drag uses 1 of 2 possible threads: torch.set_num_threads(2) before it, or unset OMP_NUM_THREADS or set "
            "it to 2 before Python starts",
        ),
        (
            *(32, 2, 2, None, "32 threads of torch on 2 processors"),
            "more threads than processors slow a drag down: torch.set_num_threads(2) before it",
        ),
        (
            *(2, 2, 2, "16", "2 threads of torch on 2 processors, OMP_NUM_THREADS is 16"),
            "unset OMP_NUM_THREADS or set it to 2 before Python starts",
        ),
        (2, 2, 2, "all of them", "2 threads of torch on 2 processors, OMP_NUM_THREADS is set to no whole number", ""),
    ],
)
def test_threads_are_compared_with_the_processors(
    threads: int,
    processors: int,
    cores: int,
    asked: str | None,
    value: str,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
):
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(machine, "_count_cores", lambda: (processors, cores))
    assert facts(machine.probe_threads)["threads"] == (value, advice)


def cgroup(monkeypatch: pytest.MonkeyPatch, folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    monkeypatch.setattr(machine, "cgroup_folders", lambda controller: iter([folder / "inner", folder]))


@pytest.mark.parametrize(
    "files",
    [
        {"cpu__max": "150000 100000\n"},
        {"cpu__cfs_quota_us": "150000\n", "cpu__cfs_period_us": "100000\n"},
    ],
)
def test_a_container_may_use_fewer_processors(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    cgroup(monkeypatch, tmp_path, **files)
    assert machine._count_cores() == (2, 2)
    cgroup(monkeypatch, tmp_path, **dict.fromkeys(files, "max 100000" if len(files) == 1 else "-1"))
    assert machine._count_cores()[0] == 64


def test_a_container_s_memory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_machine_memory", lambda: (50 * GB, 64 * GB))
    files = {
        "memory__max": f"{4 * GB}",
        "memory__current": f"{3 * GB}",
        "memory__stat": f"anon 1\ninactive_file {GB}\n",
    }
    cgroup(monkeypatch, tmp_path, **files)
    assert facts(machine.probe_memory)["memory"] == (
        "2.0 GB free of 4.0 GB that this container or job may use; a 1024-px drag takes up to 1.0 GB",
        "",
    )
    cgroup(monkeypatch, tmp_path, memory__max="max\n")
    assert facts(machine.probe_memory)["memory"][0].startswith("50.0 GB free of 64.0 GB; ")


def test_a_container_of_an_older_system_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_machine_memory", lambda: (50 * GB, 64 * GB))
    cgroup(monkeypatch, tmp_path, memory__limit_in_bytes=f"{2 * GB}", memory__usage_in_bytes=f"{2 * GB - 300 * 10**6}")
    assert facts(machine.probe_memory)["memory"] == (
        "300 MB free of 2.0 GB that this container or job may use; a 1024-px drag takes up to 1.0 GB",
        "close programs and other kernels, call draggan_widget.close_all(), or take a smaller generator: heads and "
        "256 px need less",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has cgroups")
def test_the_cgroups_around_a_process_are_looked_at_from_the_inside_out(monkeypatch: pytest.MonkeyPatch):
    lines = "4:cpu,cpuacct:/a/b\n1:memory:/c\n0::/d\n"
    monkeypatch.setattr(Path, "read_text", lambda path: lines)
    root = machine.CGROUPS
    assert list(machine.cgroup_folders("cpu")) == [
        root / "cpu/a/b",
        root / "cpu/a",
        root / "cpu",
        root / "d",
        root,
    ]


@pytest.mark.parametrize(
    ("flags", "value"),
    [
        ("amx", "this CPU has AMX and AVX512_BF16; G.with_half_pictures() draws large pictures faster"),
        ("zen", "this CPU has AVX512_BF16; G.with_half_pictures() may draw large pictures faster; time it"),
        ("old", "this CPU has no instructions for it; G.with_half_pictures() would draw slower"),
        ("unknown", "not known of this CPU; time G.with_half_pictures() before you use it"),
    ],
)
def test_bfloat16_of_the_cpu_is_told_with_its_use(flags: str, value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_cpu_flags", lambda: FLAGS[flags])
    assert facts(machine.probe_bfloat16)["bfloat16"] == (value, "")


# The device


@contextlib.contextmanager
def gpus(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., str]) -> Iterator[list[int]]:
    """Two GPUs, the second of which is nearly full; yields those whose memory torch was asked for."""
    asked: list[int] = []
    about = [
        types.SimpleNamespace(name="H200", total_memory=140 * GB, major=9, uuid="aa"),
        types.SimpleNamespace(name="T4", total_memory=16 * GB, major=7, uuid="bb"),
    ]

    def ask(index: int) -> tuple[int, int]:
        asked.append(index)
        return 130 * GB, 140 * GB

    with monkeypatch.context() as patched:
        for name, give in {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "current_device": lambda: 0,
            "get_device_properties": about.__getitem__,
            "mem_get_info": ask,
        }.items():
            patched.setattr(torch.cuda, name, give)
        patched.setattr(torch_devices, "ask_program", answer)
        yield asked


def test_each_gpu_is_told_with_its_memory_and_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    with gpus(monkeypatch, lambda *_: "GPU-aa, 123978\nGPU-bb, 477\n") as asked:
        assert facts(torch_devices.probe_gpus) == {
            "cuda:0": ("H200, 130.0 GB free of 140.0 GB, bfloat16: yes", ""),
            "cuda:1": (
                "T4, 500 MB free of 16.0 GB, bfloat16: no",
                "a 1024-px generator needs about 1.0 GB: call draggan_widget.close_all(), shut down other kernels and "
                'programs that use this GPU, or pass device="cpu" to load_generator',
            ),
        }
        assert facts(torch_devices.probe_device)["device"] == (
            "cuda, the first of CUDA, MPS and CPU that torch can use here",
            "",
        )
    assert asked == []


def test_without_an_answer_of_the_driver_torch_is_asked_for_the_one_gpu_that_is_taken(monkeypatch: pytest.MonkeyPatch):
    def none(*_: str) -> str:
        raise FileNotFoundError("nvidia-smi")

    with gpus(monkeypatch, none) as asked:
        found = facts(torch_devices.probe_gpus)
    assert found["cuda:0"][0] == "H200, 130.0 GB free of 140.0 GB, bfloat16: yes"
    assert found["cuda:1"][0] == "T4, free memory not known of 16.0 GB, bfloat16: no"
    assert asked == [0]


def test_one_broken_gpu_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch):
    with gpus(monkeypatch, lambda *_: "GPU-aa, 123978\n"):
        monkeypatch.setattr(torch.cuda, "current_device", broken)
        found = facts(torch_devices.probe_gpus)
    assert found["cuda:1"] == (f"not known: {BROKEN}", "")
    assert found["cuda:0"][0].startswith("H200, ")


@pytest.mark.parametrize("cuda", ["12.8", None])
def test_a_driver_that_torch_does_not_use_is_told(cuda: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch_devices, "_has_nvidia", lambda: True)
    value, advice = facts(torch_devices.probe_device)["device"]
    assert value == "cpu, because torch finds neither a CUDA nor an MPS device"
    assert advice == (
        "this machine has NVIDIA's driver, but torch finds no GPU: update the driver, check CUDA_VISIBLE_DEVICES, or "
        "start the container with its GPUs"
        if cuda
        else "this machine has NVIDIA's driver, but this torch computes on the CPU only: install the build for CUDA "
        "(https://pytorch.org/get-started/locally/), then restart the kernel or Python"
    )


def test_the_reason_that_torch_gives_is_repeated(monkeypatch: pytest.MonkeyPatch):
    import warnings

    def too_old() -> torch.device:
        warnings.warn("CUDA initialization: the driver is too old", stacklevel=1)
        return torch.device("cpu")

    monkeypatch.setattr(load, "pick_device", too_old)
    assert facts(torch_devices.probe_device)["device"][0] == (
        "cpu, because torch finds neither a CUDA nor an MPS device: CUDA initialization: the driver is too old"
    )


# The cache


def test_the_cache_is_told_with_place_contents_and_room(surroundings: Path, monkeypatch: pytest.MonkeyPatch):
    folder = surroundings / "cache"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=3 * GB))
    assert facts(stored.probe_cache) == {
        "cache": (f"{folder} (DRAGGAN_CACHE), made by the first download", ""),
        "cache contents": ("0 files, 0 MB", ""),
        "cache disk": ("3.0 GB free", ""),
    }
    (folder / "faces").mkdir(parents=True)
    (folder / "faces" / "weights").write_bytes(bytes(3 * 10**6))
    found = facts(stored.probe_cache)
    assert found["cache"] == (f"{folder} (DRAGGAN_CACHE), writable", "")
    assert found["cache contents"] == ("1 file, 3 MB", "")
    monkeypatch.delenv("DRAGGAN_CACHE")
    assert facts(stored.probe_cache)["cache"][0].endswith("(the system's cache folder), made by the first download")


def test_a_cache_that_cannot_be_used_is_told_with_a_remedy(surroundings: Path, monkeypatch: pytest.MonkeyPatch):
    folder = surroundings / "cache"
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda *_: False)
        assert facts(stored.probe_cache)["cache"] == (
            f"{folder} (DRAGGAN_CACHE), not writable",
            "set DRAGGAN_CACHE to a folder in which you may write",
        )
    folder.touch()
    assert facts(stored.probe_cache)["cache"] == (
        f"{folder} (DRAGGAN_CACHE), {folder} is a file, not a folder",
        "set DRAGGAN_CACHE to another folder",
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=GB))
    assert facts(stored.probe_cache)["cache disk"] == (
        "1.0 GB free",
        "free some space (checkpoints in the cache can be deleted; they are downloaded again), or set DRAGGAN_CACHE to "
        "a folder on another disk",
    )


def test_a_cache_of_very_many_files_is_not_counted_to_its_end(surroundings: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stored, "MOST_FILES", 3)
    for name in "abcde":
        (surroundings / "cache" / name).mkdir(parents=True)
        (surroundings / "cache" / name / "file").touch()
    assert facts(stored.probe_cache)["cache contents"] == ("at least 3 files, at least 0 MB", "")


def test_forgotten_workers_are_told(monkeypatch: pytest.MonkeyPatch):
    threads = [types.SimpleNamespace(name="draggan-drag")] * 9 + [types.SimpleNamespace(name="MainThread")]
    monkeypatch.setattr(stored.threading, "enumerate", lambda: threads)
    assert facts(stored.probe_workers)["workers"] == (
        "9 threads of sessions and widgets in this process",
        "draggan_widget.close_all() ends those of widgets, replays and inspectors",
    )


# In a fresh interpreter

BLOCKED = """
import importlib.abc, sys
import lazy_loader
standard = sys.stdlib_module_names | {"draggan_widget"}
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in standard:
            raise ImportError(f"{name} is broken", name=name)
sys.meta_path.insert(0, Refuse())
"""
TIMED = """
import sys, time
import torch
before = time.process_time()
import draggan_widget
draggan_widget.doctor()
took = time.process_time() - before
kept = [name for name in ("ipywidgets", "anywidget", "ipykernel", "IPython") if name in sys.modules]
print(took < 2 or took, kept)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.slow
def test_the_command_reports_even_where_no_package_can_be_imported():
    run = python(BLOCKED + "from draggan_widget import cli; sys.exit(cli.main(['doctor']))")
    assert (run.returncode, run.stderr) == (0, "")
    assert re.search(r"^device +not known: ImportError: torch is broken\n +-> run .* torch, ", run.stdout, re.M)
    assert re.search(rf"^torch +{re.escape(metadata.version('torch'))}$", run.stdout, re.M)


@pytest.mark.slow
def test_the_report_takes_under_two_seconds_after_torch_and_imports_no_notebook_package():
    run = python(TIMED)
    assert run.stdout == "True []\n", run.stderr
