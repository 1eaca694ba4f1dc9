// What the kernel says of the edit, and when it counts. Messages may be lost, doubled, late or out of order:
//
// 1. An older revision than the known one says nothing, except that an edit was answered.
// 2. The answer to the one unanswered edit is the fact with its number; the answers to earlier ones are news like any.
// 3. An answer that does not come is asked for (hello). Whatever comes then settles it: on the same revision the kernel
//    never took the edit, so it is sent again; on a newer one the kernel's word counts.
// 4. A mask the message only speaks of ("keep") is known only if no revision in between was missed.

import { type Point, samePoint } from "./geometry";
import { type Mask, maskFromBytes, sameMask } from "./mask";
import type { EditFact } from "./messages";
import { type EditorState, type Snapshot, sameEdit } from "./state";

export function takeFact(state: EditorState, fact: EditFact): EditorState {
  const answers = fact.client === state.client && fact.rid !== null && fact.rid === state.pending;
  const answered = answers ? { pending: null, overdue: false } : {};
  if (fact.revision < state.revision && !state.resync) return { ...state, ...answered };
  const { revision, canUndo, canRedo } = fact;
  const base = snapshot(state, fact, answers);
  const lost = missesMask(state, fact, answers) ? revision : fact.mask === "keep" ? state.lost : null;
  const heard = { ...state, ...answered, revision, canUndo, canRedo, base, lost, resync: false };
  if (answers && !fact.accepted) return giveUp(heard, fact);
  const handles = mergeHandles(heard, fact.handles);
  if (answers) return { ...heard, handles, error: null };
  return state.overdue ? unanswered({ ...heard, handles }, state) : { ...heard, handles };
}

/** The answer has not come for long. */
export function overdue(state: EditorState): EditorState {
  return { ...state, overdue: state.pending !== null };
}

/** The kernel was away: it owes no answer, and its next fact counts whatever its revision. */
export function resync(state: EditorState): EditorState {
  return { ...state, pending: null, overdue: false, resync: true };
}

/** The handles of a frame. */
export function takeTracked(state: EditorState, revision: number, tracked: readonly Point<"image">[]): EditorState {
  if (revision !== state.revision) return state;
  const known = tracked.length === state.base.handles.length;
  const base = known ? { ...state.base, handles: tracked } : state.base;
  return { ...state, base, handles: mergeHandles(state, tracked) };
}

// A refusal of what the kernel has taken already (the same edit came twice) needs no words.
function giveUp(state: EditorState, fact: EditFact): EditorState {
  const error = sameEdit(state, state.base) ? null : (fact.error ?? "The edit was refused.");
  const gesture = state.gesture?.kind === "move" ? null : state.gesture;
  return { ...state, gesture, sent: state.changes, error };
}

function unanswered(heard: EditorState, before: EditorState): EditorState {
  const again = heard.revision === before.revision && heard.changes === heard.sent;
  return { ...heard, pending: null, overdue: false, sent: again ? heard.sent - 1 : heard.sent };
}

function snapshot(state: EditorState, fact: EditFact, answers: boolean): Snapshot {
  return { points: fact.points, handles: fact.handles, mask: factMask(state, fact, answers) };
}

function factMask(state: EditorState, fact: EditFact, answers: boolean): Mask | null {
  if (fact.mask === "none") return null;
  const kept = answers && fact.accepted ? state.sentMask : state.base.mask;
  const told = fact.mask === "buffer" ? maskFromBytes(fact.maskBytes, state.size) : kept;
  if (told === null) return kept;
  // The same mask stays the same object: it is then known as unchanged, and not drawn again.
  return [state.mask, state.base.mask].find((mask) => sameMask(mask, told)) ?? told;
}

function missesMask(state: EditorState, fact: EditFact, answers: boolean): boolean {
  if (fact.mask === "buffer") return maskFromBytes(fact.maskBytes, state.size) === null;
  return fact.mask === "keep" && !(answers && fact.accepted) && !state.resync && fact.revision > state.revision + 1;
}

/** Tracked positions for the points that are the kernel's own; a handle the user has put elsewhere stays there. */
function mergeHandles(state: EditorState, tracked: readonly Point<"image">[]): readonly Point<"image">[] {
  if (tracked.length !== state.points.length) return state.handles;
  return state.handles.map((local, i) => {
    const mine = state.points[i];
    const untouched = mine !== undefined && samePoint(mine.handle, state.base.points[i]?.handle);
    return untouched ? (tracked[i] ?? local) : local;
  });
}
