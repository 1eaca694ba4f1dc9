// The state of the drag and of the connection, and the text of the status line.

import type { FrameFact, FrameKind, OverlayView, RunFact, Settings } from "./messages";

/** waiting: no answer to hello yet; silent: none for long; gone: connection lost; closed: Python closed the widget. */
export type Link = "waiting" | "live" | "silent" | "gone" | "closed";

export interface Drawn {
  readonly seq: number;
  readonly step: number;
  readonly kind: FrameKind;
  readonly stepsPerSecond: number | null;
}

export interface RunState {
  readonly link: Link;
  readonly running: boolean;
  /** The wish to start or stop that the kernel has not answered. */
  readonly asked: "start" | "stop" | null;
  /** The answer to that wish is late, and the kernel was asked what it does: its next fact settles the wish. */
  readonly overdue: boolean;
  readonly drawn: Drawn | null;
  readonly seed: number | null;
  readonly truncation: number;
  /** null: the kernel has not sent them yet. */
  readonly settings: Settings | null;
  readonly overlay: OverlayView;
  /** Why the last drag is over, as long as the kernel has that `revision` and the user has changed nothing. */
  readonly ended: RunFact["ended"];
  readonly revision: number;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly canReset: boolean;
  /** What is wrong with a value that was entered and not sent. */
  readonly note: string | null;
  readonly error: string | null;
  /** What Python said when it closed the widget. */
  readonly lastWords: string | null;
}

export type RunAction =
  | { readonly type: "link"; readonly link: Link; readonly lastWords?: string | null }
  | RunFact
  | { readonly type: "asked"; readonly asked: "start" | "stop" }
  | { readonly type: "overdue" }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "note"; readonly note: string | null }
  | { readonly type: "drawn"; readonly frame: FrameFact }
  | { readonly type: "seed"; readonly seed: number | null }
  | { readonly type: "truncation"; readonly truncation: number }
  | (Settings & { readonly type: "settings" })
  | { readonly type: "overlay"; readonly view: OverlayView }
  | { readonly type: "edited" }
  | { readonly type: "dismiss" };

export const NO_POINTS =
  "Start needs a point: drag from where a handle is to where it should go, or click the one and then the other.";
const TARGET_HINT = "Now click where it should go; Escape takes the handle back.";
const MASK_HINT = "Paint what may move; the hatched part stays fixed. M or Escape ends painting.";
const UNKNOWN = -1; // the revision of a kernel that has not told one
export const NO_KERNEL = "No kernel: run the cell again to drag.";

export function initialRun(running: boolean, seed: number | null, truncation = 1): RunState {
  const nothing = { asked: null, overdue: false, drawn: null, settings: null, ended: null };
  const unsaid = { note: null, error: null, lastWords: null };
  const can = { revision: UNKNOWN, canUndo: false, canRedo: false, canReset: false };
  return { link: "waiting", running, seed, truncation, overlay: "none", ...nothing, ...unsaid, ...can };
}

export function updateRun(state: RunState, action: RunAction): RunState {
  switch (action.type) {
    case "link":
      return takeLink(state, action.link, action.lastWords ?? null);
    case "run":
      return takeRun(state, action);
    case "asked":
      return { ...state, asked: action.asked, overdue: false, note: null, error: null };
    case "overdue":
      return { ...state, overdue: true };
    case "failed":
      return { ...state, asked: null, error: action.message };
    case "note":
      return { ...state, note: action.note };
    case "drawn":
      return { ...state, drawn: summary(action.frame), seed: action.frame.seed ?? state.seed };
    case "seed":
      return { ...state, seed: action.seed };
    case "truncation":
      return { ...state, truncation: action.truncation };
    case "settings":
      return { ...state, settings: action };
    case "overlay":
      return { ...state, overlay: action.view };
    case "edited":
      return { ...state, ended: null, note: null };
    case "dismiss":
      return { ...state, error: null };
    default:
      return action satisfies never;
  }
}

/** A connection that is new or back knows nothing of the kernel's revision: the next fact holds whatever its own. */
function takeLink(state: RunState, link: Link, lastWords: string | null): RunState {
  return { ...state, link, lastWords, revision: UNKNOWN, asked: null, running: link === "live" && state.running };
}

/** A fact of an older revision came late. An error belongs to the state that it happened in. */
function takeRun(state: RunState, { type: _, ...fact }: RunFact): RunState {
  if (fact.revision < state.revision) return state;
  const same = fact.revision === state.revision || state.revision === UNKNOWN;
  const answered = state.overdue || fact.running === (state.asked === "start");
  return {
    ...state,
    ...fact,
    asked: answered ? null : state.asked,
    note: same ? state.note : null,
    error: same ? state.error : null,
  };
}

function summary({ seq, step, kind, stepsPerSecond }: FrameFact): Drawn {
  return { seq, step, kind, stepsPerSecond };
}

/** What the status line needs to know of the edit: its revision, how many points it has, and the largest distance from
 *  a handle to its target in image px. */
export interface EditSummary {
  readonly revision: number;
  readonly points: number;
  readonly left: number | null;
}

/** What the user is doing: setting the target of a half-made point, or painting. */
export type Activity = "target" | "mask" | null;

/** The status line. */
export function statusText(state: RunState, edit: EditSummary, activity: Activity = null): string {
  switch (state.link) {
    case "waiting":
      return "Waiting for the kernel …";
    case "silent":
      return NO_KERNEL;
    case "gone":
      return "The kernel is gone: run the cell again to drag.";
    case "closed":
      return state.lastWords || "This widget was closed: run the cell again to drag.";
    case "live":
      if (state.note !== null) return state.note;
      if (activity === "target") return TARGET_HINT;
      return activity === "mask" && !state.running ? MASK_HINT : liveText(state, edit);
    default:
      return state.link satisfies never;
  }
}

function liveText(state: RunState, { revision, points, left }: EditSummary): string {
  if (state.asked === "start") return "Starting …";
  if (state.asked === "stop") return "Stopping …";
  if (state.running) return progress(state.drawn, left, true) ?? "Running …";
  if (points === 0) return NO_POINTS;
  if (state.ended !== null && state.revision === revision)
    return join([state.ended.message, progress(state.drawn, left, false)]);
  if (state.drawn === null || state.drawn.step === 0)
    return `${points} ${points === 1 ? "point" : "points"}: press Start.`;
  return progress(state.drawn, left, false) ?? "";
}

function progress(drawn: Drawn | null, far: number | null, running: boolean): string | null {
  if (drawn === null) return null;
  const left = far === null ? null : `${far.toFixed(1)} px left`;
  const speed = running && drawn.stepsPerSecond !== null ? `${drawn.stepsPerSecond.toFixed(1)} steps/s` : null;
  return join([`step ${drawn.step}`, left, speed, drawn.kind === "preview" ? "preview" : "full picture"]);
}

function join(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== "").join(" · ");
}
