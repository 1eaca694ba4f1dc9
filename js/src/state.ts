// What the editor's state is made of, and the two questions that every part of the editor asks of it.

import { type Point, type Size, samePoint } from "./geometry";
import type { Mask } from "./mask";
import type { EditPoint } from "./messages";

export type End = "handle" | "target";

export interface EndRef {
  readonly index: number;
  readonly end: End;
}

/** points: press and drag; brush and erase: paint what may move. */
export type Tool = "points" | "brush" | "erase";

/** A pointer that is down. `slop` (image px) is how far it must go before a press becomes a drag. */
interface Pressed {
  readonly from: Point<"image">;
  readonly slop: number;
  readonly moved: boolean;
}

/** `armed`: the handle was set by a click, and the pointer, up again, looks for the target. */
export type Gesture =
  | (Pressed & { readonly kind: "new"; readonly to: Point<"image">; readonly armed: boolean })
  | (Pressed & { readonly kind: "move"; readonly ref: EndRef; readonly start: Point<"image"> })
  | { readonly kind: "paint"; readonly mask: Mask; readonly last: Point<"image">; readonly value: 0 | 1 };

export interface Snapshot {
  readonly points: readonly EditPoint[];
  /** Where each handle is now; the drag moves them. */
  readonly handles: readonly Point<"image">[];
  readonly mask: Mask | null;
}

/** Its own points, handles and mask are what is shown and will be sent. */
export interface EditorState extends Snapshot {
  readonly client: string;
  readonly size: Size;
  readonly maxPoints: number;
  /** The kernel's revision and what it holds. */
  readonly revision: number;
  readonly base: Snapshot;
  /** The targets that locked points had, by their handle. */
  readonly former: ReadonlyMap<string, Point<"image">>;
  readonly selected: number | null;
  readonly picked: boolean; // the user took the selected point, rather than having just drawn it
  readonly gesture: Gesture | null;
  readonly tool: Tool;
  readonly brush: number; // image px across
  readonly hover: Point<"image"> | null; // where the brush is
  readonly changes: number; // local changes made, and how many of them have been sent
  readonly sent: number;
  readonly sentMask: Mask | null;
  /** The own edit that the kernel has not answered; overdue: for so long that it was asked. */
  readonly pending: number | null;
  readonly overdue: boolean;
  readonly resync: boolean; // after a hello the next fact counts whatever its revision
  readonly lost: number | null; // the revision whose mask never came; hello brings it
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** Why the last edit was refused, in words; null when it was not. */
  readonly error: string | null;
}

/** Where an end is shown: a handle at its tracked place, a target where it was put. */
export function endPosition(state: EditorState, ref: EndRef): Point<"image"> | null {
  const position = ref.end === "handle" ? state.handles[ref.index] : state.points[ref.index]?.target;
  return position ?? null;
}

/** Whether two edits ask for the same: equal points, and the same mask object. */
export function sameEdit(a: Snapshot, b: Snapshot): boolean {
  const same = (p: EditPoint, q?: EditPoint) =>
    samePoint(p.handle, q?.handle) && samePoint(p.target, q?.target) && p.locked === q?.locked;
  return a.mask === b.mask && a.points.length === b.points.length && a.points.every((p, i) => same(p, b.points[i]));
}
