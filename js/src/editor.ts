// The edit as the browser sees it: the kernel's points and mask, the user's changes to them, and which of the two
// is shown.
//
// The kernel owns the edit. Local changes are shown at once and until the kernel has answered them; once no local
// change is open, the kernel's last edit is shown (`settled`).

import { overdue, resync, takeFact, takeTracked } from "./facts";
import { distance, type Point, type Size } from "./geometry";
import { cancel, drag, press, release } from "./gestures";
import type { Mask } from "./mask";
import type { EditFact, MaskWord } from "./messages";
import { changed, nudge, remove, toggleLock } from "./points";
import { type EditorState, type EndRef, endPosition, type Snapshot, sameEdit, type Tool } from "./state";

export type EditorAction =
  | { readonly type: "press"; readonly at: Point<"image">; readonly hit: EndRef | null; readonly slop: number }
  | { readonly type: "drag"; readonly at: Point<"image"> }
  | { readonly type: "release" }
  | { readonly type: "cancel" }
  | { readonly type: "hover"; readonly at: Point<"image"> | null }
  | { readonly type: "select"; readonly index: number | null }
  | { readonly type: "nudge"; readonly ref: EndRef; readonly dx: number; readonly dy: number }
  | { readonly type: "delete"; readonly index: number }
  | { readonly type: "lock"; readonly index: number }
  | { readonly type: "clear" }
  | { readonly type: "tool"; readonly tool: Tool }
  | { readonly type: "brush"; readonly size: number }
  | { readonly type: "clear-mask" }
  | { readonly type: "sent"; readonly rid: number }
  | { readonly type: "overdue" }
  | { readonly type: "resync" }
  | { readonly type: "dismiss" }
  | { readonly type: "resize"; readonly size: Size }
  | { readonly type: "fact"; readonly fact: EditFact }
  | { readonly type: "tracked"; readonly revision: number; readonly handles: readonly Point<"image">[] };

const NOTHING: Snapshot = { points: [], handles: [], mask: null };
export const BRUSH = { least: 4, most: 256 }; // image px across

export function initialEditor(client: string, size: Size, maxPoints: number): EditorState {
  return {
    ...NOTHING,
    client,
    size,
    maxPoints,
    revision: 0,
    base: NOTHING,
    former: new Map(),
    selected: null,
    picked: false,
    gesture: null,
    tool: "points",
    brush: Math.min(BRUSH.most, Math.max(BRUSH.least, Math.round(size.width / 10))),
    hover: null,
    changes: 0,
    sent: 0,
    sentMask: null,
    pending: null,
    overdue: false,
    resync: true,
    lost: null,
    error: null,
  };
}

export function update(state: EditorState, action: EditorAction): EditorState {
  return settled(step(state, action));
}

function step(state: EditorState, action: EditorAction): EditorState {
  switch (action.type) {
    case "press":
      return press(state, action.at, action.hit, action.slop);
    case "drag":
      return drag(state, action.at);
    case "release":
      return release(state);
    case "cancel":
      return cancel(state);
    case "hover":
      return { ...state, hover: action.at };
    case "select":
      return { ...state, selected: action.index, picked: state.picked || action.index !== state.selected };
    case "nudge":
      return nudge(state, action.ref, action.dx, action.dy);
    case "delete":
      return remove(state, action.index);
    case "lock":
      return toggleLock(state, action.index);
    case "clear":
      return state.points.length === 0
        ? state
        : changed(state, { points: [], handles: [], selected: null, gesture: null });
    case "tool":
      return { ...cancel(state), tool: action.tool, hover: null };
    case "brush":
      return { ...state, brush: Math.min(BRUSH.most, Math.max(BRUSH.least, Math.round(action.size))) };
    case "clear-mask":
      return state.mask === null ? state : changed(state, { mask: null });
    case "sent":
      return { ...state, pending: action.rid, overdue: false, sent: state.changes, sentMask: state.mask };
    case "overdue":
      return overdue(state);
    case "resync":
      return resync(state);
    case "dismiss":
      return { ...state, error: null };
    case "resize":
      return resize(state, action.size);
    case "fact":
      return takeFact(state, action.fact);
    case "tracked":
      return takeTracked(state, action.revision, action.handles);
    default:
      return action satisfies never;
  }
}

function resize(state: EditorState, size: Size): EditorState {
  if (size.width === state.size.width && size.height === state.size.height) return state;
  const base = { ...state.base, mask: null }; // a mask of another size is meaningless
  return { ...state, size, base, mask: null, sentMask: null, gesture: null };
}

/** Shows the kernel's edit if no local change is open. A half-made point or stroke stays: it is not in the edit yet. */
function settled(state: EditorState): EditorState {
  if (state.gesture?.kind === "move" || state.pending !== null || hasUnsent(state)) return state;
  const { base, changes } = state;
  if (state.points === base.points && state.mask === base.mask)
    return state.sent === changes ? state : { ...state, sent: changes };
  const selected = state.selected !== null && state.selected < base.points.length ? state.selected : null;
  return { ...state, ...base, selected, sent: changes };
}

/** Whether there is a local change that was not sent. A change that was undone locally before it was sent is none. */
export function hasUnsent(state: EditorState): boolean {
  return state.changes !== state.sent && !(state.pending === null && sameEdit(state, state.base));
}

/** The mask, with the stroke that is being painted. */
export function shownMask({ gesture, mask }: EditorState): Mask | null {
  return gesture?.kind === "paint" ? gesture.mask : mask;
}

/** The mask word of the edit to be sent. */
export function maskWord(state: EditorState): MaskWord {
  if (state.mask === state.base.mask) return "keep";
  return state.mask === null ? "none" : "buffer";
}

/** The end under a press: the nearest within `reach` (image px); the target if both ends are at the same place. */
export function endAt(state: EditorState, at: Point<"image">, reach: number): EndRef | null {
  let best: { ref: EndRef; away: number } | null = null;
  for (let index = state.points.length - 1; index >= 0; index--) {
    for (const end of ["target", "handle"] as const) {
      const position = endPosition(state, { index, end });
      const away = position === null ? Number.POSITIVE_INFINITY : distance(at, position);
      if (away <= reach && (best === null || away < best.away - 1e-6)) best = { ref: { index, end }, away };
    }
  }
  return best?.ref ?? null;
}
