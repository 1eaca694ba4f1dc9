// The wire: what the kernel tells (facts) and what the browser asks (wishes), parsed once and trusted afterwards.

import { imagePoint, type Point } from "./geometry";

export interface EditPoint {
  readonly handle: Point<"image">;
  readonly target: Point<"image">;
}

/** Bytes as the host hands them over: a DataView in Jupyter, a Uint8Array in Colab. */
export type Bytes = DataView<ArrayBuffer> | Uint8Array<ArrayBuffer>;

export interface EditFact {
  readonly type: "edit";
  readonly revision: number;
  readonly rid: number | null;
  readonly client: string | null;
  readonly accepted: boolean;
  readonly error: string | null;
  readonly points: readonly EditPoint[];
  readonly handles: readonly Point<"image">[];
  readonly mask: "none" | "keep" | "buffer";
  readonly canUndo: boolean;
  readonly canRedo: boolean;
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
  /** null when the message came without its buffer; it still costs a credit. */
  readonly picture: Bytes | null;
}

export type EndReason = "arrived" | "cap" | "stalled" | "lost" | "stopped";

export type Fact =
  | EditFact
  | FrameFact
  | { readonly type: "started"; readonly step: number }
  | { readonly type: "ended"; readonly reason: EndReason; readonly message: string; readonly step: number }
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
      readonly points: readonly { readonly handle: Pair; readonly target: Pair }[];
      readonly mask: "keep" | "none" | "buffer";
    }
  | { readonly type: "start" | "stop" | "undo" | "redo" | "reset"; readonly rid: number }
  | { readonly type: "step"; readonly rid: number; readonly n: number }
  | { readonly type: "seed"; readonly rid: number; readonly seed: number | null }
  | { readonly type: "shown"; readonly seq: number }
  | { readonly type: "tick" };

export type WishMessage = Wish & { readonly client: string };

export function editWish(rid: number, revision: number, points: readonly EditPoint[]): Wish {
  const wirePoints = points.map((p) => ({ handle: toPair(p.handle), target: toPair(p.target) }));
  return { type: "edit", rid, revision, points: wirePoints, mask: "keep" };
}

/** A message of the kernel, or null (and a warning) when it is not one we know. */
export function parseFact(content: unknown, buffers: readonly unknown[] = []): Fact | null {
  try {
    return readFact(new Fields(content, "message"), buffers);
  } catch (error) {
    console.warn(`draggan: message ignored: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

/** The bytes themselves, or null when there are none. */
export function asBytes(value: unknown): Bytes | null {
  const fits = value instanceof DataView || value instanceof Uint8Array;
  return fits && value.byteLength > 0 ? (value as Bytes) : null;
}

function readFact(m: Fields, buffers: readonly unknown[]): Fact {
  const type = m.oneOf("type", ["edit", "frame", "started", "ended", "failed"]);
  switch (type) {
    case "edit":
      return readEdit(m);
    case "frame":
      return readFrame(m, buffers);
    case "started":
      return { type, step: m.integer("step") };
    case "ended": {
      const reason = m.oneOf("reason", ["arrived", "cap", "stalled", "lost", "stopped"]);
      return { type, reason, message: m.text("message"), step: m.integer("step") };
    }
    case "failed": {
      const rid = m.orNull("rid", (k) => m.integer(k));
      return { type, message: m.text("message"), rid, client: m.orNull("client", (k) => m.text(k)) };
    }
    default:
      return type satisfies never;
  }
}

function readEdit(m: Fields): EditFact {
  const points = m.list("points", (value, where) => {
    const point = new Fields(value, where);
    return { handle: toPoint(point.get("handle"), where), target: toPoint(point.get("target"), where) };
  });
  const handles = m.list("handles", toPoint);
  if (handles.length !== points.length) throw new Error(`${points.length} points but ${handles.length} handles`);
  return {
    type: "edit",
    revision: m.integer("revision"),
    rid: m.orNull("rid", (k) => m.integer(k)),
    client: m.orNull("client", (k) => m.text(k)),
    accepted: m.bool("accepted"),
    error: m.orNull("error", (k) => m.text(k)),
    points,
    handles,
    mask: m.oneOf("mask", ["none", "keep", "buffer"]),
    canUndo: m.bool("can_undo"),
    canRedo: m.bool("can_redo"),
  };
}

function readFrame(m: Fields, buffers: readonly unknown[]): FrameFact {
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

function toNumber(value: unknown, where: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${where} is not a finite number`);
  return value;
}

/** Named fields of one object, each read with its check. */
class Fields {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where} is no object`);
    this.#values = new Map(Object.entries(value));
    this.#where = where;
  }

  get(key: string): unknown {
    return this.#values.get(key);
  }

  number(key: string): number {
    return toNumber(this.get(key), this.#name(key));
  }

  integer(key: string): number {
    const value = this.get(key);
    if (!Number.isSafeInteger(value)) throw new Error(`${this.#name(key)} is not an integer`);
    return value as number;
  }

  text(key: string): string {
    const value = this.get(key);
    if (typeof value !== "string") throw new Error(`${this.#name(key)} is not a string`);
    return value;
  }

  bool(key: string): boolean {
    const value = this.get(key);
    if (typeof value !== "boolean") throw new Error(`${this.#name(key)} is not a boolean`);
    return value;
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T {
    const found = allowed.find((word) => word === this.get(key));
    if (found === undefined) throw new Error(`${this.#name(key)} is none of ${allowed.join(", ")}`);
    return found;
  }

  orNull<T>(key: string, read: (key: string) => T): T | null {
    return this.get(key) === null ? null : read(key);
  }

  list<T>(key: string, read: (value: unknown, where: string) => T): T[] {
    const value = this.get(key);
    if (!Array.isArray(value)) throw new Error(`${this.#name(key)} is not a list`);
    return value.map((item: unknown, i) => read(item, `${this.#name(key)}[${i}]`));
  }

  #name(key: string): string {
    return `${this.#where}.${key}`;
  }
}
