// The edit protocol over a bad line: messages lost, doubled, late and out of order, against a small model of the kernel.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { editMessage, pace } from "../src/controls";
import { type EditorAction, hasUnsent, initialEditor, update } from "../src/editor";
import { imagePoint } from "../src/geometry";
import { maskFromBytes } from "../src/mask";
import { type EditFact, parseFact, type Wish } from "../src/messages";
import { type Outbox, outbox } from "../src/outbox";
import { initialRun } from "../src/run";
import { type EditorState, sameEdit } from "../src/state";

const SIZE = { width: 6, height: 4 };
const ME = "me";
const SCHEDULES = 2500;
const STEPS = 60;

/** The same pseudo-random numbers for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type WireEdit = Extract<Wish, { type: "edit" }>;
type Deliver<M> = (message: M) => void;

/** A line that loses, doubles and delays messages; `heal` repairs it. */
function line<M>(chance: () => number, deliver: Deliver<M>) {
  let bad = true;
  return {
    heal(): void {
      bad = false;
    },
    put(message: M): void {
      if (bad && chance() < 0.15) return;
      const copies = bad && chance() < 0.15 ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        const delay = bad ? chance() * (chance() < 0.1 ? 20_000 : 400) : 1;
        setTimeout(() => deliver(message), delay);
      }
    },
  };
}

/** Takes an edit drawn on its revision, refuses any other, and sometimes changes the edit itself (Python, undo). */
function modelKernel(tell: Deliver<EditFact>) {
  let revision = 0;
  let points: WireEdit["points"] = [];
  let mask: Uint8Array | null = null;
  const say = (more: { rid?: number; error?: string; mask?: "keep" }): void => {
    const { rid = null, error = null } = more;
    const word = more.mask ?? (mask === null ? "none" : "buffer");
    const reply = { rid, client: rid === null ? null : ME, accepted: error === null, error };
    const content = { type: "edit", revision, ...reply, points, handles: points.map((p) => p.handle), mask: word };
    const fact = parseFact(content, word === "buffer" ? [mask?.slice()] : []);
    if (fact?.type === "edit") tell(fact);
  };
  return {
    now: () => ({ revision, points, mask }),
    hear(wish: Wish, buffers: readonly ArrayBuffer[]): void {
      if (wish.type === "hello") say({});
      if (wish.type !== "edit") return;
      const { rid } = wish;
      if (wish.revision !== revision) say({ rid, error: "the points changed meanwhile" });
      else if (wish.points.some((p) => p.target[0] === 5)) say({ rid, error: "not there", mask: "keep" });
      else {
        revision++;
        points = wish.points;
        if (wish.mask !== "keep") mask = wish.mask === "none" ? null : new Uint8Array(buffers[0] ?? []);
        say(wish.mask === "keep" ? { rid, mask: "keep" } : { rid });
      }
    },
    change(chance: () => number): void {
      revision++;
      const [x, y] = [Math.floor(chance() * 5), Math.floor(chance() * 4)];
      const which = chance();
      if (which < 0.5) points = [{ handle: [x, y], target: [y, x % 4], locked: chance() < 0.3 }];
      else if (which < 0.75) points = points.slice(1);
      else mask = chance() < 0.3 ? null : new Uint8Array(24).map(() => (chance() < 0.5 ? 1 : 0));
      say({});
    },
  };
}

function play(seed: number) {
  const chance = random(seed);
  let editor: EditorState = initialEditor(ME, SIZE, 8);
  let rid = 0;
  let asked: number | null = null;
  let unanswered = 0; // edits sent since the last settled one
  let most = 0;
  let backwards = 0; // how often an older revision was taken
  const toKernel = line<{ wish: Wish; buffers: readonly ArrayBuffer[] }>(chance, ({ wish, buffers }) =>
    kernel.hear(wish, buffers),
  );
  const toBrowser = line<EditFact>(chance, (fact) => dispatch({ type: "fact", fact }));
  const kernel = modelKernel(toBrowser.put);
  const hello = (): void => toKernel.put({ wish: { type: "hello", colab: false }, buffers: [] });
  const run = { ...initialRun(chance() < 0.5, 1), link: "live" as const };
  const box: Outbox = outbox({
    hasUnsent: () => hasUnsent(editor),
    waiting: () => editor.pending !== null,
    pace: () => pace(editor, run),
    send() {
      const [wish, ...buffers] = editMessage(editor, ++rid);
      toKernel.put({ wish, buffers });
      unanswered = editor.pending === null ? 1 : unanswered + 1;
      most = Math.max(most, unanswered);
      editor = update(editor, { type: "sent", rid });
    },
    ask() {
      editor = update(editor, { type: "overdue" });
      hello();
    },
  });
  function dispatch(action: EditorAction): void {
    const { revision } = editor;
    editor = update(editor, action);
    if (editor.revision < revision) backwards++;
    box.poke();
    if (editor.lost !== null && editor.lost !== asked) hello();
    asked = editor.lost;
  }
  hello();
  for (let i = 0; i < STEPS; i++) {
    const at = imagePoint(Math.floor(chance() * 6), Math.floor(chance() * 4));
    const index = Math.floor(chance() * Math.max(editor.points.length, 1));
    const actions: readonly EditorAction[] = [
      { type: "press", at, hit: chance() < 0.5 ? null : { index, end: chance() < 0.5 ? "handle" : "target" }, slop: 1 },
      { type: "drag", at },
      { type: "drag", at },
      { type: "release" },
      { type: "release" },
      { type: "cancel" },
      { type: "nudge", ref: { index, end: "target" }, dx: 1, dy: 0 },
      { type: "delete", index },
      { type: "lock", index },
      { type: "tool", tool: chance() < 0.6 ? "points" : chance() < 0.7 ? "brush" : "erase" },
      { type: "clear-mask" },
      { type: "clear" },
    ];
    const action = actions[Math.floor(chance() * actions.length)];
    if (action !== undefined) dispatch(action);
    if (chance() < 0.08) kernel.change(chance);
    vi.advanceTimersByTime(chance() < 0.05 ? 6000 : chance() * 120);
  }
  dispatch({ type: "release" });
  dispatch({ type: "cancel" });
  vi.advanceTimersByTime(30_000); // the late messages have arrived
  toKernel.heal();
  toBrowser.heal();
  vi.advanceTimersByTime(130_000); // the longest wait for an answer, and its answer
  hello(); // as when the page is shown again: only a hello finds out about a lost fact
  vi.advanceTimersByTime(10_000);
  box.close();
  vi.clearAllTimers();
  return { editor, kernel: kernel.now(), most, backwards, sent: rid };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each(Array.from({ length: 10 }, (_, block) => block))(
  "browser and kernel agree after whatever the line did, with one unanswered edit at most (block %d)",
  (block) => {
    const each = SCHEDULES / 10;
    let total = 0;
    for (let seed = block * each; seed < (block + 1) * each; seed++) {
      const { editor, kernel, most, backwards, sent } = play(seed);
      total += sent;
      expect(backwards, `schedule ${seed}`).toBe(0);
      expect(most, `schedule ${seed}`).toBeLessThanOrEqual(1);
      expect(editor.pending, `schedule ${seed}`).toBeNull();
      expect(hasUnsent(editor), `schedule ${seed}`).toBe(false);
      expect(editor.revision, `schedule ${seed}`).toBe(kernel.revision);
      const shown = editor.points.map((p) => [p.handle.x, p.handle.y, p.target.x, p.target.y, p.locked]);
      expect(shown, `schedule ${seed}`).toEqual(kernel.points.map((p) => [...p.handle, ...p.target, p.locked]));
      expect(editor.mask, `schedule ${seed}`).toEqual(maskFromBytes(kernel.mask, SIZE));
      expect(sameEdit(editor, editor.base), `schedule ${seed}`).toBe(true);
    }
    expect(total, "edits sent").toBeGreaterThan(3 * each);
  },
  60_000,
);
