// The state of the drag and of the connection, and the text of the status line.

import type { EndReason, FrameFact, FrameKind, OverlayView, Settings } from "./messages";

/** waiting: no answer to hello yet; silent: none for long; gone: connection lost; closed: Python closed the widget. */
export type Link = "waiting" | "live" | "silent" | "gone" | "closed";

export interface Drawn {
  readonly seq: number;
  readonly step: number;
  readonly kind: FrameKind;
  readonly left: number | null;
  readonly stepsPerSecond: number | null;
}

export interface RunState {
  readonly link: Link;
  readonly running: boolean;
  /** The wish to start or stop that the kernel has not answered. */
  readonly asked: "start" | "stop" | null;
  readonly drawn: Drawn | null;
  readonly seed: number | null;
  readonly truncation: number;
  /** null: the kernel has not sent them yet. */
  readonly settings: Settings | null;
  readonly overlay: OverlayView;
  readonly ended: { readonly reason: EndReason; readonly message: string } | null;
  readonly error: string | null;
}

export type RunAction =
  | { readonly type: "link"; readonly link: Link }
  | { readonly type: "running"; readonly running: boolean }
  | { readonly type: "asked"; readonly asked: "start" | "stop" }
  | { readonly type: "ended"; readonly reason: EndReason; readonly message: string }
  | { readonly type: "failed"; readonly message: string; readonly ends: boolean }
  | { readonly type: "drawn"; readonly frame: FrameFact }
  | { readonly type: "seed"; readonly seed: number | null }
  | { readonly type: "truncation"; readonly truncation: number }
  | (Settings & { readonly type: "settings" })
  | { readonly type: "overlay"; readonly view: OverlayView }
  | { readonly type: "edited" }
  | { readonly type: "dismiss" };

export const NO_POINTS = "Drag from where a handle is to where it should go, or click the one and then the other.";
const TARGET_HINT = "Now click where it should go; Escape takes the handle back.";
const MASK_HINT = "Paint what may move; the hatched part stays fixed. M or Escape ends painting.";
export const NO_KERNEL = "No kernel: run the cell again to drag.";

export function initialRun(running: boolean, seed: number | null, truncation = 1): RunState {
  const nothing = { asked: null, drawn: null, settings: null, ended: null, error: null };
  return { link: "waiting", running, seed, truncation, overlay: "none", ...nothing };
}

export function updateRun(state: RunState, action: RunAction): RunState {
  switch (action.type) {
    case "link":
      return { ...state, link: action.link, running: action.link === "live" && state.running };
    case "running":
      return { ...state, running: action.running, asked: null, ended: action.running ? null : state.ended };
    case "asked":
      return { ...state, asked: action.asked, error: null };
    case "ended":
      return { ...state, running: false, asked: null, ended: { reason: action.reason, message: action.message } };
    case "failed":
      return { ...state, running: state.running && !action.ends, asked: null, error: action.message };
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
      return { ...state, ended: null };
    case "dismiss":
      return { ...state, error: null };
    default:
      return action satisfies never;
  }
}

function summary(frame: FrameFact): Drawn {
  const left = frame.distances.length === 0 ? null : Math.max(...frame.distances);
  return { seq: frame.seq, step: frame.step, kind: frame.kind, left, stepsPerSecond: frame.stepsPerSecond };
}

/** What the user is doing: setting the target of a half-made point, or painting. */
export type Activity = "target" | "mask" | null;

/** The status line. */
export function statusText(state: RunState, points: number, activity: Activity = null): string {
  switch (state.link) {
    case "waiting":
      return "Waiting for the kernel …";
    case "silent":
      return NO_KERNEL;
    case "gone":
      return "The kernel is gone: run the cell again to drag.";
    case "closed":
      return "This widget was closed: run the cell again to drag.";
    case "live":
      if (activity === "target") return TARGET_HINT;
      return activity === "mask" && !state.running ? MASK_HINT : liveText(state, points);
    default:
      return state.link satisfies never;
  }
}

function liveText(state: RunState, points: number): string {
  if (state.asked === "start") return "Starting …";
  if (state.asked === "stop") return "Stopping …";
  if (state.running) return progress(state.drawn, true) ?? "Running …";
  if (state.ended !== null) return join([state.ended.message, progress(state.drawn, false)]);
  if (points === 0) return NO_POINTS;
  if (state.drawn === null || state.drawn.step === 0)
    return `${points} ${points === 1 ? "point" : "points"}: press Start.`;
  return progress(state.drawn, false) ?? "";
}

function progress(drawn: Drawn | null, running: boolean): string | null {
  if (drawn === null) return null;
  const left = drawn.left === null ? null : `${drawn.left.toFixed(1)} px left`;
  const speed = running && drawn.stepsPerSecond !== null ? `${drawn.stepsPerSecond.toFixed(1)} steps/s` : null;
  return join([`step ${drawn.step}`, left, speed, drawn.kind === "preview" ? "preview" : "full picture"]);
}

function join(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== "").join(" · ");
}
