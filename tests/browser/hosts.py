"""The notebook hosts in which the browser tests can run, and what the tests ask of each host's page.

Each value of a `Host` that holds JavaScript is an expression or a function for the page of an open notebook.
"""

from dataclasses import dataclass, replace

PANEL = "window.jupyterapp.shell.currentWidget"
CELLS = f"{PANEL}.content.widgets"
CLASSIC = "window.Jupyter.notebook"
CLASSIC_CELLS = f"{CLASSIC}.get_cells()"


@dataclass(frozen=True)
class Host:
    """A program that shows notebooks.

    Attributes:
        name: its name in the names of tests.
        module: the Python module that `python -m` starts.
        options: its own options on the command line.
        address: the address of a notebook, with places for its number, its file's name and the token.
        cell: selector of the elements of cells.
        idle: whether the kernel is connected and idle and no cell runs.
        run_cell: function that runs the cell at an index.
        outputs: function that gives the outputs of the cell at an index, in nbformat's form.
        kernel_id: the server's id of the notebook's kernel.
        cells: list of [type, source, execution count], one for each cell.
        dialogs: selector of open dialogs.
        dirty: whether the notebook holds changes that are not saved.
        make_dirty: function that makes the notebook hold such a change.
        save: promise of the notebook being saved.
        focus_cell: function that gives a cell the focus, in command mode.
    """

    name: str
    module: str
    options: tuple[str, ...]
    address: str
    cell: str
    idle: str
    run_cell: str
    outputs: str
    kernel_id: str
    cells: str
    dialogs: str
    dirty: str
    make_dirty: str
    save: str
    focus_cell: str


# `window.drag_runs` counts the cells that the tests started and that have not ended.
LAB = Host(
    name="jupyterlab",
    module="jupyterlab",
    options=("--LabApp.expose_app_in_browser=True",),
    address="/lab/workspaces/w{number}/tree/{name}?token={token}&reset",
    cell=".jp-NotebookPanel .jp-Cell",
    idle="""(() => {
        const kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
        return kernel?.connectionStatus === "connected" && kernel.status === "idle" && !(window.drag_runs > 0);
    })()""",
    run_cell=f"""index => {{
        {PANEL}.content.activeCellIndex = index;
        window.drag_runs = (window.drag_runs ?? 0) + 1;
        window.jupyterapp.commands.execute("notebook:run-cell").finally(() => {{ window.drag_runs -= 1; }});
    }}""",
    outputs=f"index => {CELLS}[index].model.outputs?.toJSON() ?? []",
    kernel_id=f"{PANEL}.sessionContext.session.kernel.id",
    cells=f"{CELLS}.map(({{model}}) => [model.type, model.sharedModel.source, model.executionCount])",
    dialogs=".jp-Dialog",
    dirty=f"{PANEL}.context.model.dirty",
    make_dirty=f"() => {{ {PANEL}.context.model.dirty = true; }}",
    save=f"{PANEL}.context.save()",
    focus_cell=f"index => {{ {PANEL}.content.activeCellIndex = index; {CELLS}[index].node.focus(); }}",
)
NOTEBOOK = replace(
    LAB,
    name="notebook",
    module="notebook",
    options=("--JupyterNotebookApp.expose_app_in_browser=True",),
    address="/notebooks/{name}?token={token}",
)
# Without Notebook 7 beside it: with it, all its addresses begin with /nbclassic.
NBCLASSIC = Host(
    name="nbclassic",
    module="nbclassic",
    options=(),
    address="/notebooks/{name}?token={token}",
    cell="#notebook-container .cell",
    idle=f"""(() => {{
        const notebook = window.Jupyter?.notebook;
        return Boolean(notebook?._fully_loaded && notebook.kernel?.is_connected() && !notebook.kernel_busy)
            && {CLASSIC_CELLS}.every(cell => cell.input_prompt_number !== "*");
    }})()""",
    run_cell=f"index => {CLASSIC}.get_cell(index).execute()",
    outputs=f"index => {CLASSIC}.get_cell(index).output_area?.toJSON() ?? []",
    kernel_id=f"{CLASSIC}.kernel.id",
    cells=f"{CLASSIC_CELLS}.map(cell => [cell.cell_type, cell.get_text(), cell.input_prompt_number ?? null])",
    dialogs=".modal.in",
    dirty=f"{CLASSIC}.dirty",
    make_dirty=f"() => {CLASSIC}.set_dirty(true)",
    save=f"{CLASSIC}.save_notebook()",
    focus_cell=f"index => {{ {CLASSIC}.select(index); {CLASSIC}.command_mode(); {CLASSIC}.focus_cell(); }}",
)
HOSTS = {host.name: host for host in (LAB, NOTEBOOK, NBCLASSIC)}
