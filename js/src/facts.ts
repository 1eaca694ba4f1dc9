// What an edit fact of the kernel changes. Messages may be lost, doubled, late or out of order, so:
//
// 1. A fact of an older revision than the known one changes nothing, except that it may answer an edit.
// 2. The answer to the one unanswered edit is the fact with its `rid`; answers to earlier edits are news like any
//    other.
// 3. If no answer arrives, the kernel is asked for one (hello). The next fact then settles the edit: with the same
//    revision, the kernel never accepted the edit, and it is sent again; with a newer one, the kernel's edit is shown.
// 4. A mask that a fact does not carry ("keep") is known only if no revision in between was missed.

import { type Point, samePoint } from "./geometry";
import { type Mask, maskFromBytes, sameMask } from "./mask";
import type { EditFact } from "./messages";
import { type EditorState, type Snapshot, sameEdit } from "./state";

export function takeFact(state: EditorState, fact: EditFact): EditorState {
  const answers = fact.client === state.client && fact.rid !== null && fact.rid === state.pending;
  const answered = answers ? { pending: null, overdue: false } : {};
  if (fact.revision < state.revision && !state.resync) return { ...state, ...answered };
  const { revision } = fact;
  const base = snapshot(state, fact, answers);
  const lost = missesMask(state, fact, answers) ? revision : fact.mask === "keep" ? state.lost : null;
  const heard = { ...state, ...answered, revision, base, lost, resync: false };
  if (answers && !fact.accepted) return takeRefusal(heard, fact);
  const handles = mergeHandles(heard, fact.handles);
  if (answers) return { ...heard, handles, error: null };
  return state.overdue ? settleOverdue({ ...heard, handles }, state) : { ...heard, handles };
}

/** The answer is late, and the kernel was asked for it. */
export function overdue(state: EditorState): EditorState {
  return { ...state, overdue: state.pending !== null };
}

/** The kernel was away: it will not answer, and its next edit is shown whatever its revision. */
export function resync(state: EditorState): EditorState {
  return { ...state, pending: null, overdue: false, resync: true };
}

/** Takes the tracked handles of a frame. */
export function takeTracked(state: EditorState, revision: number, tracked: readonly Point<"image">[]): EditorState {
  if (revision !== state.revision) return state;
  const known = tracked.length === state.base.handles.length;
  const base = known ? { ...state.base, handles: tracked } : state.base;
  return { ...state, base, handles: mergeHandles(state, tracked) };
}

// An edit that arrived twice is refused the second time: that is not an error.
function takeRefusal(state: EditorState, fact: EditFact): EditorState {
  const error = sameEdit(state, state.base) ? null : (fact.error ?? "The edit was refused.");
  const gesture = state.gesture?.kind === "move" ? null : state.gesture;
  return { ...state, gesture, sent: state.changes, error };
}

function settleOverdue(heard: EditorState, before: EditorState): EditorState {
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
  // An equal mask stays the same object: then it counts as unchanged, and is not drawn again.
  return [state.mask, state.base.mask].find((mask) => sameMask(mask, told)) ?? told;
}

function missesMask(state: EditorState, fact: EditFact, answers: boolean): boolean {
  if (fact.mask === "buffer") return maskFromBytes(fact.maskBytes, state.size) === null;
  return fact.mask === "keep" && !(answers && fact.accepted) && !state.resync && fact.revision > state.revision + 1;
}

/** Tracked positions for the handles that the kernel set; a handle that the user has moved stays where it is. */
function mergeHandles(state: EditorState, tracked: readonly Point<"image">[]): readonly Point<"image">[] {
  if (tracked.length !== state.points.length) return state.handles;
  return state.handles.map((local, i) => {
    const mine = state.points[i];
    const untouched = mine !== undefined && samePoint(mine.handle, state.base.points[i]?.handle);
    return untouched ? (tracked[i] ?? local) : local;
  });
}
