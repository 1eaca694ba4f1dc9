// What the panel shows for a given state, and what its buttons and inputs ask for.

import type { ActionName, PanelAction } from "./buttons";
import { type EditorAction, maskWord } from "./editor";
import { distance } from "./geometry";
import type { InputChange } from "./inputs";
import { maskToBytes } from "./mask";
import { editWish, type SettingsChange, type Wish } from "./messages";
import { LIVE_INTERVAL } from "./outbox";
import type { PanelView } from "./panel";
import { type Activity, type EditSummary, NO_POINTS, type RunState, statusText } from "./run";
import type { EditorState } from "./state";

/** The buttons that send a wish to the kernel; the others change the edit. */
export type WishButton = "start" | "step" | "undo" | "redo" | "reset" | "seed";
export type EditButton = Exclude<PanelAction, WishButton>;

export function isWishButton(action: PanelAction): action is WishButton {
  return ["start", "step", "undo", "redo", "reset", "seed"].includes(action);
}

export function buttonWish(action: WishButton, rid: number, running: boolean): Wish {
  switch (action) {
    case "start":
      return { type: running ? "stop" : "start", rid };
    case "undo":
    case "redo":
    case "reset":
      return { type: action, rid };
    case "step":
      return { type: "step", rid, n: 1 };
    case "seed":
      return { type: "seed", rid, seed: null, truncation_psi: null };
    default:
      return action satisfies never;
  }
}

/** The message with the whole edit, and the bytes of the mask if the mask has changed. */
export function editMessage(editor: EditorState, rid: number): readonly [Wish, ...ArrayBuffer[]] {
  const word = maskWord(editor);
  const buffers = word === "buffer" && editor.mask !== null ? [maskToBytes(editor.mask)] : [];
  return [editWish(rid, editor.revision, editor.points, word), ...buffers];
}

/** The wish of an input; null for the brush size, which the kernel does not know. */
export function inputWish({ field, value }: InputChange, rid: number, seed: number | null): Wish | null {
  const keep: SettingsChange = { preset: null, max_steps: null, latent_space: null };
  switch (field) {
    case "seed":
      return { type: "seed", rid, seed: Number(value), truncation_psi: null };
    case "truncation": // the same seed again; null would ask for the next seed
      return { type: "seed", rid, seed, truncation_psi: Number(value) };
    case "preset":
      return { type: "settings", rid, ...keep, preset: value };
    case "max-steps":
      return { type: "settings", rid, ...keep, max_steps: Number(value) };
    case "latent-space":
      return { type: "settings", rid, ...keep, latent_space: value };
    case "overlay":
      return { type: "overlay", rid, view: value };
    case "brush":
      return null;
    default:
      return field satisfies never;
  }
}

/** How a button changes the edit; null if there is nothing to change. */
export function buttonEdit(action: EditButton, { selected, tool }: EditorState): EditorAction | null {
  switch (action) {
    case "delete":
    case "lock":
      return selected === null ? null : { type: action, index: selected };
    case "mask":
      return { type: "tool", tool: tool === "brush" ? "points" : "brush" };
    case "erase":
      return { type: "tool", tool: tool === "erase" ? "points" : "erase" };
    case "clear":
    case "clear-mask":
    case "dismiss":
      return { type: action };
    default:
      return action satisfies never;
  }
}

/** ms between two edits. While no drag runs, one edit is sent for each gesture: it is one step of undo. */
export function pace(editor: EditorState, run: RunState): number {
  if (editor.gesture?.kind !== "move") return 0;
  return run.running ? LIVE_INTERVAL : Number.POSITIVE_INFINITY;
}

export function panelView(editor: EditorState, run: RunState): PanelView {
  return {
    running: run.running,
    live: run.link === "live",
    enabled: enabledActions(editor, run),
    startRefusal: startRefusal(editor, run),
    pressed: pressedActions(editor),
    seed: run.seed,
    truncation: run.truncation,
    settings: run.settings,
    overlay: run.overlay,
    brush: editor.brush,
    status: statusText(run, editSummary(editor), activity(editor)),
    muted: run.link !== "live",
    error: editor.error ?? run.error,
  };
}

function editSummary({ revision, points, handles }: EditorState): EditSummary {
  const distances = points.map((point, i) => distance(handles[i] ?? point.handle, point.target));
  return { revision, points: points.length, left: points.length === 0 ? null : Math.max(...distances) };
}

/** Why the button that starts a drag cannot be pressed; null if it can. */
function startRefusal(editor: EditorState, run: RunState): string | null {
  if (run.link !== "live") return statusText(run, editSummary(editor));
  if (run.running) return null;
  if (run.asked !== null) return "The kernel has not answered yet";
  return editor.points.length === 0 ? NO_POINTS : null;
}

function activity(editor: EditorState): Activity {
  if (editor.gesture?.kind === "new" && editor.gesture.armed) return "target";
  return editor.tool === "points" ? null : "mask";
}

function pressedActions({ tool, points, selected }: EditorState): ReadonlySet<ActionName> {
  const pressed = new Set<ActionName>();
  if (tool === "brush") pressed.add("mask");
  if (tool === "erase") pressed.add("erase");
  if (selected !== null && points[selected]?.locked) pressed.add("lock");
  return pressed;
}

export function enabledActions(editor: EditorState, run: RunState): ReadonlySet<ActionName> {
  const live = run.link === "live";
  const some = editor.points.length > 0;
  const enabled: Readonly<Record<ActionName, boolean>> = {
    start: startRefusal(editor, run) === null,
    step: some && !run.running,
    undo: run.canUndo,
    redo: run.canRedo,
    reset: run.canReset,
    seed: true,
    lock: editor.selected !== null,
    delete: editor.selected !== null,
    clear: some,
    mask: true,
    erase: true,
    "clear-mask": editor.mask !== null,
  };
  const names = Object.keys(enabled) as ActionName[];
  return new Set(names.filter((name) => live && enabled[name]));
}
