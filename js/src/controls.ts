// What the panel shows for a given state: which controls can be used, and the words.

import type { EditorState } from "./editor";
import type { Wish } from "./messages";
import type { ActionName, PanelView } from "./panel";
import { type RunState, statusText } from "./run";

/** The buttons that ask the kernel; the others change the edit. */
export type WishName = Exclude<ActionName, "clear" | "delete">;

export function wishFor(action: WishName, rid: number, running: boolean): Wish {
  switch (action) {
    case "start":
      return { type: running ? "stop" : "start", rid };
    case "undo":
    case "reset":
      return { type: action, rid };
    case "step":
      return { type: "step", rid, n: 1 };
    case "seed":
      return { type: "seed", rid, seed: null };
    default:
      return action satisfies never;
  }
}

export function panelView(editor: EditorState, run: RunState): PanelView {
  return {
    running: run.running,
    enabled: enabledActions(editor, run),
    seed: run.seed,
    status: statusText(run, editor.points.length),
    muted: run.link !== "live",
    error: editor.error ?? run.error,
  };
}

function enabledActions(editor: EditorState, run: RunState): ReadonlySet<ActionName> {
  const live = run.link === "live";
  const some = editor.points.length > 0;
  const enabled: Readonly<Record<ActionName, boolean>> = {
    start: run.running || (some && run.asked === null),
    step: some && !run.running,
    undo: editor.canUndo,
    reset: true,
    seed: true,
    delete: editor.selected !== null,
    clear: some,
  };
  const names = Object.keys(enabled) as ActionName[];
  return new Set(names.filter((name) => live && enabled[name]));
}
