// Changes of the points: place, nudge, remove, lock.

import { clampToImage, movedBy, type Point, samePoint } from "./geometry";
import type { EditPoint } from "./messages";
import { type EditorState, type EndRef, endPosition } from "./state";

export function changed(state: EditorState, patch: Partial<EditorState>): EditorState {
  return { ...state, ...patch, changes: state.changes + 1 };
}

export function nudge(state: EditorState, ref: EndRef, dx: number, dy: number): EditorState {
  const from = endPosition(state, ref);
  if (from === null) return state;
  return placeEnd({ ...state, selected: ref.index, picked: true }, ref, movedBy(from, dx, dy));
}

/** Moves an end to a place; an end of a locked point stays. */
export function placeEnd(state: EditorState, ref: EndRef, at: Point<"image">): EditorState {
  const to = clampToImage(at, state.size);
  const before = endPosition(state, ref);
  if (before === null || samePoint(before, to) || state.points[ref.index]?.locked) return state;
  const points = state.points.map((p, i) => (i === ref.index ? { ...p, [ref.end]: to } : p));
  const handles = state.handles.map((h, i) => (i === ref.index && ref.end === "handle" ? to : h));
  return changed(state, { points, handles });
}

export function remove(state: EditorState, index: number): EditorState {
  if (state.points[index] === undefined) return state;
  const points = state.points.filter((_, i) => i !== index);
  const handles = state.handles.filter((_, i) => i !== index);
  return changed(state, { points, handles, selected: null, gesture: null });
}

/** Locks a point: its target is then where its handle is. Or unlocks it: it then has its former target again. */
export function toggleLock(state: EditorState, index: number): EditorState {
  const point = state.points[index];
  const place = state.handles[index];
  if (point === undefined || place === undefined) return state;
  const former = new Map(state.former);
  const target = point.locked ? (former.get(keyOf(point)) ?? place) : place;
  if (point.locked) former.delete(keyOf(point));
  else former.set(keyOf(point), point.target);
  const points = state.points.map((p, i) => (i === index ? { ...p, target, locked: !p.locked } : p));
  return changed(state, { points, former, selected: index, picked: true, gesture: null });
}

// The handle identifies a locked point: it does not change while the point is locked, and the kernel returns it
// unchanged.
function keyOf({ handle }: EditPoint): string {
  return `${handle.x},${handle.y}`;
}
