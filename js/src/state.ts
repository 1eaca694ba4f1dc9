// The state of the editor: its types, and the two functions that all parts of the editor need.

import { type Point, type Size, samePoint } from "./geometry";
import type { Mask } from "./mask";
import type { EditPoint } from "./messages";

export type End = "handle" | "target";

export interface EndRef {
  readonly index: number;
  readonly end: End;
}

/** points: set and move points; brush and erase: paint the mask. */
export type Tool = "points" | "brush" | "erase";

/** A press. `slop` is the distance in image px that the pointer must move before the press becomes a drag. */
interface Pressed {
  readonly from: Point<"image">;
  readonly slop: number;
  readonly moved: boolean;
}

/** `armed`: a click has set the handle, and the next click sets the target. */
export type Gesture =
  | (Pressed & { readonly kind: "new"; readonly to: Point<"image">; readonly armed: boolean })
  | (Pressed & { readonly kind: "move"; readonly ref: EndRef; readonly start: Point<"image"> })
  | { readonly kind: "paint"; readonly mask: Mask; readonly last: Point<"image">; readonly value: 0 | 1 };

export interface Snapshot {
  readonly points: readonly EditPoint[];
  /** Where each handle point is now; the drag moves them. */
  readonly handles: readonly Point<"image">[];
  readonly mask: Mask | null;
}

/** The points, handles and mask of the state itself are shown, and will be sent. */
export interface EditorState extends Snapshot {
  readonly client: string;
  readonly size: Size;
  readonly maxPoints: number;
  /** The newest known revision of the kernel, and the edit that it holds. */
  readonly revision: number;
  readonly base: Snapshot;
  /** The targets that locked points had before, by `keyOf` their handles. */
  readonly former: ReadonlyMap<string, Point<"image">>;
  readonly selected: number | null;
  readonly picked: boolean; // the user selected the point; false if it was only just drawn
  readonly gesture: Gesture | null;
  readonly tool: Tool;
  readonly brush: number; // image px across
  readonly hover: Point<"image"> | null; // position of the brush
  readonly changes: number; // count of the local changes
  readonly sent: number; // how many of them were sent
  readonly sentMask: Mask | null;
  /** `rid` of the sent edit that the kernel has not answered. `overdue`: the kernel was asked for the answer. */
  readonly pending: number | null;
  readonly overdue: boolean;
  readonly resync: boolean; // the kernel was away: its next edit is shown whatever its revision
  readonly lost: number | null; // the revision whose mask did not arrive; a hello brings it
  /** Why the last edit was refused; null if it was not. */
  readonly error: string | null;
}

/** Where an end is shown: a handle where it was tracked, a target where it was set. */
export function endPosition(state: EditorState, ref: EndRef): Point<"image"> | null {
  const position = ref.end === "handle" ? state.handles[ref.index] : state.points[ref.index]?.target;
  return position ?? null;
}

/** Whether two edits have equal points and the same mask object. */
export function sameEdit(a: Snapshot, b: Snapshot): boolean {
  const same = (p: EditPoint, q?: EditPoint) =>
    samePoint(p.handle, q?.handle) && samePoint(p.target, q?.target) && p.locked === q?.locked;
  return a.mask === b.mask && a.points.length === b.points.length && a.points.every((p, i) => same(p, b.points[i]));
}
