// A page without a browser: the real view of ../../src over doubles of what needs a DOM. It is driven by a list of
// events at given times and tells what it sends and shows, so that the same page records traces and replays them.

import type { AnyModel } from "@anywidget/types";
import type { PanelAction } from "../../src/buttons";
import { type EditorAction, endAt, hasUnsent, shownMask } from "../../src/editor";
import { imagePoint, type Point } from "../../src/geometry";
import type { InputChange } from "../../src/inputs";
import type { Traits } from "../../src/kernel";
import type { PointerPorts } from "../../src/pointer";
import { type EndRef, endPosition } from "../../src/state";
import { View } from "../../src/view";
import { installClock, installGlobals, settled } from "./clock";
import { Element, screen } from "./doubles";

const REACH = 2; // image px around an end that grab it
const SLOP = 1; // image px a press must move to be a drag

/** Bytes in a trace: the MIME type of a picture, or the lengths of a mask's runs, of 0 first. */
export type Buffer = string | readonly number[];

/** What a user does; one key each. */
export interface UserAct {
  readonly press?: readonly [number, number];
  /** Presses on an end, wherever it is. */
  readonly take?: EndRef;
  readonly drag?: readonly [number, number];
  readonly release?: true;
  readonly cancel?: true;
  readonly edit?: EditorAction;
  readonly click?: PanelAction;
  readonly enter?: InputChange;
  readonly hidden?: boolean;
  /** The host says that the line to the kernel is cut, or back. */
  readonly connected?: boolean;
}

export interface Opened {
  readonly client: number;
  readonly colab: boolean;
  readonly side: number; // image px
}

export interface Sent {
  readonly at: number; // ms
  readonly wish: unknown;
  readonly buffers: readonly Buffer[];
}

export class Page {
  readonly #clock = installClock();
  readonly #restore: () => void;
  readonly #listeners = new Map<string, ((...values: unknown[]) => void)[]>();
  readonly #root = new Element();
  readonly #view: View;
  readonly #document = {
    hidden: false,
    shown: (): void => {},
    createElement: () => this.#root,
    addEventListener: (_: string, then: () => void): void => {
      this.#document.shown = then;
    },
  };
  #sent: Sent[] = [];
  #down = false; // the pointer

  constructor(at: number, { client, colab, side }: Opened) {
    void this.#clock.goTo(at);
    this.#restore = installGlobals({
      document: this.#document,
      crypto: { getRandomValues: (bytes: Uint8Array) => bytes.fill(client) },
      createImageBitmap: async () => ({ close() {} }),
      google: colab ? { colab: {} } : undefined,
    });
    this.#view = new View(this.#model(side), new Element() as unknown as HTMLElement);
  }

  /** The time of the next timer, in ms. */
  next(): number | null {
    return this.#clock.next();
  }

  /** The newest revision of the kernel that the page knows. */
  revision(): number {
    return screen.pointer?.state().revision ?? 0;
  }

  /** What was sent since the last call. */
  takeSent(): readonly Sent[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent;
  }

  async goTo(ms: number): Promise<void> {
    await this.#clock.goTo(ms);
  }

  async hear(content: unknown, buffers: readonly Buffer[]): Promise<void> {
    this.#tell("msg:custom", null, content, buffers.map(toBytes));
    await settled();
  }

  /** As src/pointer.ts and a disabled button have it: a press without a kernel does nothing, nor does a click there. */
  async act(act: UserAct): Promise<void> {
    const { pointer, act: panel } = screen;
    if (pointer === null || panel === null) throw new Error("the view has attached no pointer");
    const state = pointer.state();
    if (act.press !== undefined) {
      const at = imagePoint(...act.press);
      this.#press(pointer, at, endAt(state, at, REACH));
    } else if (act.take !== undefined) {
      const at = endPosition(state, act.take);
      if (at !== null) this.#press(pointer, at, act.take);
    } else if (act.drag !== undefined) {
      const armed = state.gesture?.kind === "new" && state.gesture.armed;
      if (this.#down || armed) pointer.dispatch({ type: "drag", at: imagePoint(...act.drag) });
    } else if (act.release !== undefined) this.#lift(pointer, "release");
    else if (act.cancel !== undefined) this.#lift(pointer, "cancel");
    else if (act.edit !== undefined) {
      if (pointer.ready()) pointer.dispatch(act.edit);
    } else if (act.enter !== undefined) {
      if (screen.panel?.live === true) panel.enter(act.enter);
    } else if (act.hidden !== undefined) this.#hide(act.hidden);
    else if (act.connected !== undefined) this.#tell("comm_live_update", { model: { comm_live: act.connected } });
    else if (act.click === undefined) throw new Error(`unknown act: ${JSON.stringify(act)}`);
    else if (act.click === "dismiss" || screen.panel?.enabled.has(act.click) === true) panel.act(act.click);
    await settled();
  }

  /** What the user sees: the points and the mask as they are now, and the picture and the words as last painted. */
  shows() {
    const { pointer, panel } = screen;
    if (pointer === null || panel === null) throw new Error("nothing was painted yet");
    const state = pointer.state();
    const mask = shownMask(state);
    const frame = (name: string) => this.#root.attributes.get(`data-${name}`) ?? null;
    return {
      revision: state.revision,
      points: state.points.map((p) => [p.handle.x, p.handle.y, p.target.x, p.target.y, p.locked]),
      handles: state.handles.map((p) => [p.x, p.y]),
      mask: mask === null ? null : toRuns(mask),
      settled: state.pending === null && !hasUnsent(state) && state.lost === null,
      picture: [frame("frame-seq"), frame("frame-kind"), frame("step")],
      running: panel.running,
      status: panel.status,
      error: panel.error,
    };
  }

  close(): void {
    this.#view.close();
    this.#restore();
    this.#clock.restore();
  }

  #press(pointer: PointerPorts, at: Point<"image">, hit: EndRef | null): void {
    if (this.#down || !pointer.ready()) return;
    this.#down = true;
    pointer.dispatch({ type: "press", at, hit, slop: SLOP });
  }

  #lift(pointer: PointerPorts, type: "release" | "cancel"): void {
    if (this.#down) pointer.dispatch({ type });
    this.#down = false;
  }

  #model(side: number): AnyModel<Traits> {
    const traits: Partial<Traits> = { image_size: [side, side], seed: null, truncation_psi: 1, status: "idle" };
    const model = {
      get: (name: keyof Traits) => traits[name],
      on: (event: string, then: () => void) => {
        this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), then]);
      },
      off: (event: string) => void this.#listeners.delete(event),
      send: (wish: unknown, _: unknown, buffers: readonly ArrayBuffer[]) => {
        const runs = buffers.map((buffer) => toRuns(new Uint8Array(buffer)));
        this.#sent.push({ at: this.#clock.now(), wish, buffers: runs });
      },
    };
    return model as unknown as AnyModel<Traits>;
  }

  #tell(event: string, view: unknown, ...values: unknown[]): void {
    for (const then of this.#listeners.get(event) ?? []) then.apply(view, values);
  }

  #hide(hidden: boolean): void {
    this.#document.hidden = hidden;
    this.#clock.hide(hidden);
    this.#document.shown();
  }
}

/** As Jupyter hands it over: a view cut out of a larger buffer. */
function toBytes(buffer: Buffer): DataView {
  const bytes = typeof buffer === "string" ? [0xff, 0xd8] : buffer.flatMap((length, i) => Array(length).fill(i % 2));
  return new DataView(new Uint8Array([7, ...bytes, 7]).buffer, 1, bytes.length);
}

function toRuns(bytes: Uint8Array): number[] {
  const runs = [0];
  for (const byte of bytes) {
    if (byte !== (runs.length - 1) % 2) runs.push(0);
    runs.push((runs.pop() ?? 0) + 1);
  }
  return runs;
}
