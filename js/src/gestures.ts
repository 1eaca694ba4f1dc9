// What a press becomes: a new point (drawn in one drag, or by two clicks), a moved end, or a stroke of the brush.
//
// A click on an empty place sets a handle, and an arrow follows the pointer until the next click sets the target. A
// second click on the same spot removes the handle again: its target would be where it is. While the user has
// a point selected (`picked`), the first click elsewhere only deselects it; a point that was just drawn is not `picked`,
// so that points can be set one after the other.

import { clampToImage, distance, movedBy, type Point } from "./geometry";
import { filledMask, isEmpty, paint } from "./mask";
import { changed, placeEnd } from "./points";
import { type EditorState, type EndRef, endPosition, type Gesture } from "./state";

export function press(state: EditorState, at: Point<"image">, hit: EndRef | null, slop: number): EditorState {
  if (state.tool !== "points") return pressBrush(state, at);
  const half = state.gesture;
  if (half?.kind === "new" && half.armed)
    return { ...state, gesture: { ...half, to: clampToImage(at, state.size), slop, moved: true } };
  const start = hit === null ? null : endPosition(state, hit);
  if (hit !== null && start !== null) {
    const gesture: Gesture = { kind: "move", ref: hit, from: at, start, slop, moved: false };
    return { ...state, selected: hit.index, picked: true, gesture };
  }
  const from = clampToImage(at, state.size);
  return { ...state, gesture: { kind: "new", from, to: from, slop, moved: false, armed: false } };
}

export function drag(state: EditorState, at: Point<"image">): EditorState {
  const gesture = state.gesture;
  if (gesture === null) return state;
  if (gesture.kind === "paint") return brush(state, gesture, at);
  const moved = gesture.moved || distance(gesture.from, at) >= gesture.slop;
  if (!moved) return state;
  if (gesture.kind === "new") {
    return { ...state, gesture: { ...gesture, to: clampToImage(at, state.size), moved } };
  }
  const to = movedBy(gesture.start, at.x - gesture.from.x, at.y - gesture.from.y);
  return placeEnd({ ...state, gesture: { ...gesture, moved } }, gesture.ref, to);
}

export function release(state: EditorState): EditorState {
  const gesture = state.gesture;
  if (gesture === null) return state;
  const rest = { ...state, gesture: null };
  switch (gesture.kind) {
    case "move":
      return rest;
    case "paint": // a mask under which nothing may move has no use: it is removed
      return changed(rest, { mask: isEmpty(gesture.mask) ? null : gesture.mask });
    case "new":
      if (gesture.moved) return distance(gesture.from, gesture.to) < gesture.slop ? rest : addPoint(rest, gesture);
      if (state.selected !== null && state.picked) return { ...rest, selected: null };
      return { ...rest, selected: null, gesture: { ...gesture, armed: true } };
    default:
      return gesture satisfies never;
  }
}

export function cancel(state: EditorState): EditorState {
  const gesture = state.gesture;
  if (gesture === null) return state;
  const rest = { ...state, gesture: null };
  return gesture.kind === "move" && gesture.moved ? placeEnd(rest, gesture.ref, gesture.start) : rest;
}

function addPoint(state: EditorState, { from, to }: Extract<Gesture, { kind: "new" }>): EditorState {
  if (state.points.length >= state.maxPoints) {
    return { ...state, error: `No more than ${state.maxPoints} points; delete one to add another.` };
  }
  return changed(state, {
    points: [...state.points, { handle: from, target: to, locked: false }],
    handles: [...state.handles, from],
    selected: state.points.length,
    picked: false,
  });
}

// Without a mask, the first stroke of the brush makes a mask of this stroke alone, and that of the eraser a mask of all
// but it.
function pressBrush(state: EditorState, at: Point<"image">): EditorState {
  const value = state.tool === "brush" ? 1 : 0;
  const mask = state.mask ?? filledMask(state.size, value === 1 ? 0 : 1);
  return brush(state, { kind: "paint", mask, last: at, value }, at);
}

function brush(state: EditorState, gesture: Extract<Gesture, { kind: "paint" }>, at: Point<"image">): EditorState {
  const stroke = { from: gesture.last, to: at, radius: state.brush / 2, value: gesture.value };
  return { ...state, hover: at, gesture: { ...gesture, mask: paint(gesture.mask, state.size, stroke), last: at } };
}
