// The edit as the browser sees it: the kernel's points, what the user draws over them, and which of the two counts.
//
// The kernel owns the edit. Local changes show at once and count until the kernel has answered them; a fact that
// does not answer them moves the tracked handles and nothing else.

import { clampToImage, distance, movedBy, type Point, type Size, samePoint } from "./geometry";
import type { EditFact, EditPoint } from "./messages";

export type End = "handle" | "target";

export interface EndRef {
  readonly index: number;
  readonly end: End;
}

/** A pointer that is down. `slop` (image px) is how far it must go before a press becomes a drag. */
interface Pressed {
  readonly from: Point<"image">;
  readonly slop: number;
  readonly moved: boolean;
}

export type Gesture =
  | (Pressed & { readonly kind: "new"; readonly to: Point<"image"> })
  | (Pressed & { readonly kind: "move"; readonly ref: EndRef; readonly start: Point<"image"> });

export interface EditorState {
  readonly client: string;
  readonly size: Size;
  readonly maxPoints: number;
  /** The kernel's revision; `base` are its points. */
  readonly revision: number;
  readonly base: readonly EditPoint[];
  /** What is shown and will be sent; equals `base` when nothing local is under way. */
  readonly points: readonly EditPoint[];
  /** Where each handle is now; the drag moves them. */
  readonly handles: readonly Point<"image">[];
  readonly selected: number | null;
  readonly gesture: Gesture | null;
  /** Local changes made, and how many of them have been sent. */
  readonly changes: number;
  readonly sent: number;
  /** The last own edit that the kernel has not answered. */
  readonly pending: number | null;
  /** After a hello the next fact counts whatever its revision. */
  readonly resync: boolean;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** Why the last edit was refused, in words; null when it was not. */
  readonly error: string | null;
}

export type EditorAction =
  | { readonly type: "press"; readonly at: Point<"image">; readonly hit: EndRef | null; readonly slop: number }
  | { readonly type: "drag"; readonly at: Point<"image"> }
  | { readonly type: "release" }
  | { readonly type: "cancel" }
  | { readonly type: "select"; readonly index: number | null }
  | { readonly type: "nudge"; readonly ref: EndRef; readonly dx: number; readonly dy: number }
  | { readonly type: "delete"; readonly index: number }
  | { readonly type: "clear" }
  | { readonly type: "sent"; readonly rid: number }
  | { readonly type: "resync" }
  | { readonly type: "dismiss" }
  | { readonly type: "resize"; readonly size: Size }
  | { readonly type: "fact"; readonly fact: EditFact }
  | { readonly type: "tracked"; readonly revision: number; readonly handles: readonly Point<"image">[] };

export function initialEditor(client: string, size: Size, maxPoints: number): EditorState {
  return {
    client,
    size,
    maxPoints,
    revision: 0,
    base: [],
    points: [],
    handles: [],
    selected: null,
    gesture: null,
    changes: 0,
    sent: 0,
    pending: null,
    resync: true,
    canUndo: false,
    canRedo: false,
    error: null,
  };
}

export function update(state: EditorState, action: EditorAction): EditorState {
  switch (action.type) {
    case "press":
      return press(state, action.at, action.hit, action.slop);
    case "drag":
      return drag(state, action.at);
    case "release":
      return release(state);
    case "cancel":
      return cancel(state);
    case "select":
      return { ...state, selected: action.index };
    case "nudge":
      return nudge(state, action.ref, action.dx, action.dy);
    case "delete":
      return remove(state, action.index);
    case "clear":
      return state.points.length === 0 ? state : changed(state, { points: [], handles: [], selected: null });
    case "sent":
      return { ...state, pending: action.rid, sent: state.changes };
    case "resync":
      return { ...state, pending: null, resync: true };
    case "dismiss":
      return { ...state, error: null };
    case "resize":
      return { ...state, size: action.size };
    case "fact":
      return takeFact(state, action.fact);
    case "tracked":
      return action.revision === state.revision ? { ...state, handles: mergeHandles(state, action.handles) } : state;
    default:
      return action satisfies never;
  }
}

/** Is there a local change the kernel has not been told? */
export function hasUnsent(state: EditorState): boolean {
  return state.changes !== state.sent;
}

/** The end under a press: the nearest within `reach` (image px); where both ends lie together, the target. */
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

/** Where an end is shown: a handle at its tracked place, a target where it was put. */
export function endPosition(state: EditorState, ref: EndRef): Point<"image"> | null {
  const position = ref.end === "handle" ? state.handles[ref.index] : state.points[ref.index]?.target;
  return position ?? null;
}

function press(state: EditorState, at: Point<"image">, hit: EndRef | null, slop: number): EditorState {
  const start = hit === null ? null : endPosition(state, hit);
  if (hit !== null && start !== null) {
    const gesture: Gesture = { kind: "move", ref: hit, from: at, start, slop, moved: false };
    return { ...state, selected: hit.index, gesture };
  }
  const from = clampToImage(at, state.size);
  return { ...state, gesture: { kind: "new", from, to: from, slop, moved: false } };
}

function drag(state: EditorState, at: Point<"image">): EditorState {
  const gesture = state.gesture;
  if (gesture === null) return state;
  const moved = gesture.moved || distance(gesture.from, at) >= gesture.slop;
  if (!moved) return state;
  if (gesture.kind === "new") {
    return { ...state, gesture: { ...gesture, to: clampToImage(at, state.size), moved } };
  }
  const to = movedBy(gesture.start, at.x - gesture.from.x, at.y - gesture.from.y);
  return placeEnd({ ...state, gesture: { ...gesture, moved } }, gesture.ref, to);
}

function release(state: EditorState): EditorState {
  const gesture = state.gesture;
  if (gesture === null) return state;
  const rest = { ...state, gesture: null };
  if (gesture.kind === "move") return rest;
  if (!gesture.moved) return { ...rest, selected: null };
  if (state.points.length >= state.maxPoints) {
    return { ...rest, error: `No more than ${state.maxPoints} points; delete one to add another.` };
  }
  return changed(rest, {
    points: [...state.points, { handle: gesture.from, target: gesture.to }],
    handles: [...state.handles, gesture.from],
    selected: state.points.length,
  });
}

function cancel(state: EditorState): EditorState {
  const gesture = state.gesture;
  if (gesture === null) return state;
  const rest = { ...state, gesture: null };
  return gesture.kind === "move" && gesture.moved ? placeEnd(rest, gesture.ref, gesture.start) : rest;
}

function nudge(state: EditorState, ref: EndRef, dx: number, dy: number): EditorState {
  const from = endPosition(state, ref);
  return from === null ? state : placeEnd({ ...state, selected: ref.index }, ref, movedBy(from, dx, dy));
}

function placeEnd(state: EditorState, ref: EndRef, at: Point<"image">): EditorState {
  const to = clampToImage(at, state.size);
  const before = endPosition(state, ref);
  if (before === null || samePoint(before, to)) return state;
  const points = state.points.map((p, i) => (i === ref.index ? { ...p, [ref.end]: to } : p));
  const handles = state.handles.map((h, i) => (i === ref.index && ref.end === "handle" ? to : h));
  return changed(state, { points, handles });
}

function remove(state: EditorState, index: number): EditorState {
  if (state.points[index] === undefined) return state;
  const points = state.points.filter((_, i) => i !== index);
  const handles = state.handles.filter((_, i) => i !== index);
  return changed(state, { points, handles, selected: null, gesture: null });
}

function changed(state: EditorState, patch: Partial<EditorState>): EditorState {
  return { ...state, ...patch, changes: state.changes + 1 };
}

function takeFact(state: EditorState, fact: EditFact): EditorState {
  const mine = fact.client === state.client && fact.rid !== null;
  const answers = mine && state.pending !== null && fact.rid >= state.pending;
  const pending = answers ? null : state.pending;
  if (fact.revision < state.revision && !state.resync) return { ...state, pending };
  const { revision, canUndo, canRedo } = fact;
  const heard = { ...state, revision, canUndo, canRedo, pending, base: fact.points, resync: false };
  if (mine && !fact.accepted)
    return adopt({ ...heard, gesture: null, error: fact.error ?? "The edit was refused." }, fact);
  const free = state.gesture === null && !hasUnsent(state) && pending === null;
  return free
    ? adopt({ ...heard, error: mine ? null : state.error }, fact)
    : { ...heard, handles: mergeHandles(heard, fact.handles) };
}

function adopt(state: EditorState, fact: EditFact): EditorState {
  const selected = state.selected !== null && state.selected < fact.points.length ? state.selected : null;
  return { ...state, points: fact.points, handles: fact.handles, selected, pending: null, sent: state.changes };
}

/** Tracked positions for the points that are the kernel's own; a handle the user has put elsewhere stays there. */
function mergeHandles(state: EditorState, tracked: readonly Point<"image">[]): readonly Point<"image">[] {
  if (tracked.length !== state.points.length) return state.handles;
  return state.handles.map((local, i) => {
    const [mine, theirs] = [state.points[i], state.base[i]];
    const untouched = mine !== undefined && theirs !== undefined && samePoint(mine.handle, theirs.handle);
    return untouched ? (tracked[i] ?? local) : local;
  });
}
