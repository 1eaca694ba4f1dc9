// The connection to the kernel: sends wishes under one client id, passes facts on, and reports when no kernel answers.

import type { AnyModel } from "@anywidget/types";
import type { Size } from "./geometry";
import { type Fact, parseFact, type Wish, type WishMessage } from "./messages";

const PATIENCE = 5000; // ms without an answer to hello before the widget tells the user
const WATCH = 1000; // ms between two looks at what the kernel has not answered
const TICK = 100; // ms between two requests for the next frame, Colab only
const TICK_ON = 5000; // ms of requests after a wish and after the end of a drag: the picture comes later

export interface Traits {
  image_size: [number, number];
  seed: number | null;
  truncation_psi: number;
  status: "idle" | "running" | "closed";
  max_points: number;
  _poster: DataView;
  _last_words: string;
}

export interface KernelPorts {
  fact(fact: Fact): void;
  /** No answer for PATIENCE. */
  silent(): unknown;
  /** The host reports that the connection is lost. */
  gone(): unknown;
  running(): boolean;
  /** Whether a wish to start or stop is unanswered. */
  asked(): boolean;
  /** It is for PATIENCE: the kernel is asked what it does. */
  overdue(): void;
}

export interface Kernel {
  readonly client: string;
  readonly colab: boolean;
  send(wish: Wish, ...buffers: readonly ArrayBuffer[]): void;
  nextRid(): number;
  hello(): void;
  /** Sends a hello: the kernel repeats its state. Unlike after `hello`, a missing answer is not reported. */
  ask(): void;
}

export function connect(model: AnyModel<Traits>, ports: KernelPorts, signal: AbortSignal): Kernel {
  const client = randomId();
  const colab = isColab();
  let rid = 0;
  let heard = 0; // performance.now() of the last fact
  let active = Number.NEGATIVE_INFINITY; // performance.now() of the last wish, or when the drag was last seen to run
  let silence: ReturnType<typeof setTimeout> | undefined;

  const send = (wish: Wish, ...buffers: readonly ArrayBuffer[]): void => {
    const message: WishMessage = { ...wish, client };
    if (wish.type !== "tick") active = performance.now();
    try {
      model.send(message, undefined, [...buffers]);
    } catch (error) {
      console.warn("draggan: the kernel cannot be reached", error); // the host throws when the kernel is dead
      ports.gone();
    }
  };

  const ask = (): void => send({ type: "hello", colab });
  const hello = (): void => {
    clearTimeout(silence);
    silence = setTimeout(ports.silent, PATIENCE);
    ask();
  };

  const onMessage = (content: unknown, buffers?: readonly unknown[]): void => {
    clearTimeout(silence);
    heard = performance.now();
    const fact = parseFact(content, buffers ?? []);
    if (fact !== null) ports.fact(fact);
  };

  // The host reports a lost connection; only the answer to a hello shows that it is back.
  const onLive = function (this: unknown): void {
    if (!commIsLive(this)) ports.gone();
    hello();
  };

  model.on("msg:custom", onMessage);
  model.on("comm_live_update", onLive);
  document.addEventListener("visibilitychange", () => document.hidden || hello(), { signal });
  let waited = 0; // ms for which a wish to start or stop has not been answered
  const watch = setInterval(() => {
    waited = ports.asked() ? waited + WATCH : 0;
    if (waited > PATIENCE) {
      waited = 0;
      ports.overdue();
      ask();
    }
    // The kernel stops its frames after 5 s of silence (a sleeping laptop); a hello starts them again.
    if (ports.running() && performance.now() - heard > PATIENCE && !document.hidden) {
      heard = performance.now();
      ask();
    }
  }, WATCH);
  const tick = setInterval(() => {
    if (ports.running()) active = performance.now();
    if (performance.now() - active < TICK_ON) send({ type: "tick" });
  }, TICK);
  if (!colab) clearInterval(tick);
  signal.addEventListener("abort", () => {
    clearTimeout(silence);
    clearInterval(watch);
    clearInterval(tick);
    model.off("msg:custom", onMessage);
    model.off("comm_live_update", onLive);
  });
  return { client, colab, send, hello, ask, nextRid: () => ++rid };
}

/** The size of the full picture in image px; 512 x 512 if a restored view has lost its traits. */
export function sizeOf(model: AnyModel<Traits>): Size {
  const [width, height] = model.get("image_size") ?? [];
  return { width: width || 512, height: height || 512 };
}

/** Calls back when Python sets one of these traits. */
export function watchTraits(
  model: AnyModel<Traits>,
  handlers: Readonly<Partial<Record<keyof Traits, () => void>>>,
  signal: AbortSignal,
): void {
  for (const [name, then] of Object.entries(handlers)) {
    model.on(`change:${name}`, then);
    signal.addEventListener("abort", () => model.off(`change:${name}`, then));
  }
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isColab(): boolean {
  const google: unknown = Reflect.get(globalThis, "google");
  return typeof google === "object" && google !== null && "colab" in google;
}

// anywidget calls back with its view as `this`, and the model of the view knows; otherwise the next hello finds out.
function commIsLive(view: unknown): boolean {
  const model: unknown = typeof view === "object" && view !== null ? Reflect.get(view, "model") : undefined;
  return typeof model === "object" && model !== null && Reflect.get(model, "comm_live") === true;
}
