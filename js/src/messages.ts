// The messages: facts from the kernel and wishes from the browser. A fact is parsed once and trusted afterwards.

import { FieldReader, toNumber, toText } from "./decode";
import { imagePoint, type Point } from "./geometry";

export interface EditPoint {
  readonly handle: Point<"image">;
  readonly target: Point<"image">;
  /** The point stays where it is: its target is where its handle was when it was locked. */
  readonly locked: boolean;
}

/** Bytes as the host gives them: a DataView in Jupyter, a Uint8Array in Colab. */
export type Bytes = DataView<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** none: no mask; keep: the mask is unchanged; buffer: the message carries the mask. */
export type MaskWord = "none" | "keep" | "buffer";

export interface EditFact {
  readonly type: "edit";
  readonly revision: number;
  readonly rid: number | null;
  readonly client: string | null;
  readonly accepted: boolean;
  readonly error: string | null;
  readonly points: readonly EditPoint[];
  readonly handles: readonly Point<"image">[];
  readonly mask: MaskWord;
  /** One byte for each pixel, 1 = may move; null without "buffer", or if the host lost it. */
  readonly maskBytes: Bytes | null;
}

/** What the session does and can do. Each fact says all of it, so the next one makes up for a lost one. */
export interface RunFact {
  readonly type: "run";
  readonly revision: number;
  readonly running: boolean;
  /** Why the drag that made this revision is over; null if none is, or if the edit has changed since. */
  readonly ended: { readonly reason: EndReason; readonly message: string } | null;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  readonly canReset: boolean;
}

export type FrameKind = "preview" | "picture" | "final";

export interface FrameFact {
  readonly type: "frame";
  readonly seq: number;
  readonly step: number;
  readonly kind: FrameKind;
  readonly mime: "image/jpeg" | "image/png";
  readonly width: number;
  readonly height: number;
  readonly revision: number;
  readonly handles: readonly Point<"image">[];
  readonly distances: readonly number[];
  readonly stepsPerSecond: number | null;
  readonly seed: number | null;
  /** null if the message arrived without its buffer; the frame still costs a credit. */
  readonly picture: Bytes | null;
}

export type EndReason = "arrived" | "cap" | "stalled" | "lost" | "stopped";

/** The settings of the next drag, and the choices. */
export interface Settings {
  readonly preset: string;
  readonly presets: readonly string[];
  readonly maxSteps: number;
  readonly latentSpace: string;
  readonly latentSpaces: readonly string[];
}

export const OVERLAY_VIEWS = ["none", "colours", "difference", "similarity", "L2", "channel", "cost"] as const;

/** given: an array that Python gave. */
export type OverlayView = (typeof OVERLAY_VIEWS)[number] | "given";

export interface OverlayFact {
  readonly type: "overlay";
  readonly view: OverlayView;
  readonly opacity: number;
  /** false: nothing is shown now, although the view is chosen, as while a drag runs. */
  readonly shown: boolean;
  readonly picture: Bytes | null;
}

export type Fact =
  | OverlayFact
  | EditFact
  | FrameFact
  | (Settings & { readonly type: "settings"; readonly rid: number | null; readonly client: string | null })
  | RunFact
  | {
      readonly type: "failed";
      readonly message: string;
      readonly rid: number | null;
      readonly client: string | null;
    };

type Pair = readonly [number, number];

export type Wish =
  | { readonly type: "hello"; readonly colab: boolean }
  | {
      readonly type: "edit";
      readonly rid: number;
      readonly revision: number;
      readonly points: readonly { readonly handle: Pair; readonly target: Pair; readonly locked: boolean }[];
      readonly mask: MaskWord;
    }
  | { readonly type: "start" | "stop" | "undo" | "redo" | "reset"; readonly rid: number }
  | { readonly type: "step"; readonly rid: number; readonly n: number }
  | {
      readonly type: "seed"; // seed null: the next seed; truncation_psi null: unchanged
      readonly rid: number;
      readonly seed: number | null;
      readonly truncation_psi: number | null;
    }
  | ({ readonly type: "settings"; readonly rid: number } & SettingsChange)
  | { readonly type: "overlay"; readonly rid: number; readonly view: string }
  | { readonly type: "shown"; readonly seq: number }
  | { readonly type: "tick" };

/** null: unchanged. */
export interface SettingsChange {
  readonly preset: string | null;
  readonly max_steps: number | null;
  readonly latent_space: string | null;
}

export type WishMessage = Wish & { readonly client: string };

export function editWish(rid: number, revision: number, points: readonly EditPoint[], mask: MaskWord = "keep"): Wish {
  const wirePoints = points.map((p) => ({ handle: toPair(p.handle), target: toPair(p.target), locked: p.locked }));
  return { type: "edit", rid, revision, points: wirePoints, mask };
}

/** A message of the kernel as a fact; null, with a warning, if it is unknown or malformed. */
export function parseFact(content: unknown, buffers: readonly unknown[] = []): Fact | null {
  try {
    return readFact(new FieldReader(content, "message"), buffers);
  } catch (error) {
    console.warn(`draggan: message ignored: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** The value as bytes; null if it is not bytes, or empty. */
export function asBytes(value: unknown): Bytes | null {
  const fits = value instanceof DataView || value instanceof Uint8Array;
  return fits && value.byteLength > 0 ? (value as Bytes) : null;
}

function readFact(m: FieldReader, buffers: readonly unknown[]): Fact {
  const type = m.oneOf("type", ["edit", "run", "frame", "settings", "overlay", "failed"]);
  switch (type) {
    case "edit":
      return readEdit(m, buffers);
    case "frame":
      return readFrame(m, buffers);
    case "settings":
      return { type, ...readSettings(m), ...readReply(m) };
    case "overlay": {
      const view = m.oneOf("view", [...OVERLAY_VIEWS, "given"]);
      const shown = m.bool("shown");
      return { type, view, opacity: m.number("opacity"), shown, picture: shown ? asBytes(buffers[0]) : null };
    }
    case "run":
      return readRun(m);
    case "failed":
      return { type, message: m.text("message"), ...readReply(m) };
    default:
      return type satisfies never;
  }
}

function readEdit(m: FieldReader, buffers: readonly unknown[]): EditFact {
  const points = m.list("points", (value, where) => {
    const point = new FieldReader(value, where);
    const locked = point.get("locked") !== undefined && point.bool("locked");
    return { handle: toPoint(point.get("handle"), where), target: toPoint(point.get("target"), where), locked };
  });
  const handles = m.list("handles", toPoint);
  if (handles.length !== points.length) throw new Error(`${points.length} points but ${handles.length} handles`);
  const mask = m.oneOf("mask", ["none", "keep", "buffer"]);
  return {
    type: "edit",
    revision: m.integer("revision"),
    ...readReply(m),
    accepted: m.bool("accepted"),
    error: m.orNull("error", (k) => m.text(k)),
    points,
    handles,
    mask,
    maskBytes: mask === "buffer" ? asBytes(buffers[0]) : null,
  };
}

function readRun(m: FieldReader): RunFact {
  const ended = m.get("ended") === null ? null : new FieldReader(m.get("ended"), "ended");
  return {
    type: "run",
    revision: m.integer("revision"),
    running: m.bool("running"),
    ended: ended && {
      reason: ended.oneOf("reason", ["arrived", "cap", "stalled", "lost", "stopped"]),
      message: ended.text("message"),
    },
    canUndo: m.bool("can_undo"),
    canRedo: m.bool("can_redo"),
    canReset: m.bool("can_reset"),
  };
}

/** `rid` and client of the wish that the fact answers; both null if it answers none. */
function readReply(m: FieldReader): { readonly rid: number | null; readonly client: string | null } {
  return { rid: m.orNull("rid", (k) => m.integer(k)), client: m.orNull("client", (k) => m.text(k)) };
}

function readSettings(m: FieldReader): Settings {
  return {
    preset: m.text("preset"),
    presets: m.list("presets", toText),
    maxSteps: m.integer("max_steps"),
    latentSpace: m.text("latent_space"),
    latentSpaces: m.list("latent_spaces", toText),
  };
}

function readFrame(m: FieldReader, buffers: readonly unknown[]): FrameFact {
  return {
    type: "frame",
    seq: m.integer("seq"),
    step: m.integer("step"),
    kind: m.oneOf("kind", ["preview", "picture", "final"]),
    mime: m.oneOf("mime", ["image/jpeg", "image/png"]),
    width: m.integer("width"),
    height: m.integer("height"),
    revision: m.integer("revision"),
    handles: m.list("handles", toPoint),
    distances: m.list("distances", toNumber),
    stepsPerSecond: m.orNull("steps_per_second", (k) => m.number(k)),
    seed: m.orNull("seed", (k) => m.integer(k)),
    picture: asBytes(buffers[0]),
  };
}

function toPair(p: Point<"image">): Pair {
  return [p.x, p.y];
}

function toPoint(value: unknown, where: string): Point<"image"> {
  if (!Array.isArray(value) || value.length !== 2) throw new Error(`${where} is not a pair of numbers`);
  return imagePoint(toNumber(value[0], where), toNumber(value[1], where));
}
