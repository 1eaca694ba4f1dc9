import { describe, expect, test } from "vitest";
import { panelView } from "../src/controls";
import { initialEditor, update } from "../src/editor";
import { imagePoint as p } from "../src/geometry";
import type { EditFact, FrameFact } from "../src/messages";
import { initialRun, NO_KERNEL, NO_POINTS, type RunAction, type RunState, statusText, updateRun } from "../src/run";

function run(...actions: readonly RunAction[]): RunState {
  return actions.reduce(updateRun, initialRun(false, 7));
}

const live: RunAction = { type: "link", link: "live" };
const started: RunAction = { type: "running", running: true };
const arrived: RunAction = { type: "ended", reason: "arrived", message: "Arrived." };

function drawn(more: Partial<FrameFact> = {}): RunAction {
  const numbers = { seq: 4, step: 34, revision: 1, stepsPerSecond: 9.84, seed: 42, distances: [3, 12.34] };
  const picture = { kind: "preview", mime: "image/jpeg", width: 8, height: 8, handles: [], picture: null } as const;
  return { type: "drawn", frame: { type: "frame", ...numbers, ...picture, ...more } };
}

describe("the status line", () => {
  test("says how to begin when there are no points", () => {
    expect(statusText(run(live), 0)).toBe(NO_POINTS);
  });

  test("tells the step, the farthest handle's distance, the speed and which picture is shown", () => {
    expect(statusText(run(live, started, drawn()), 2)).toBe("step 34 · 12.3 px left · 9.8 steps/s · preview");
    expect(statusText(run(live, started, drawn({ kind: "picture", stepsPerSecond: null })), 2)).toBe(
      "step 34 · 12.3 px left · full picture",
    );
  });

  test("tells why the drag ended and at which step", () => {
    const state = run(live, started, drawn({ kind: "final", distances: [0.8] }), arrived);
    expect(statusText(state, 1)).toBe("Arrived. · step 34 · 0.8 px left · full picture");
  });

  test("no longer tells why the last drag ended once the edit changes or the next drag starts", () => {
    expect(statusText(run(live, started, arrived, { type: "edited" }), 1)).toBe("1 point: press Start.");
    expect(statusText(run(live, started, arrived, started), 1)).toBe("Running …");
  });

  test("shows that a wish is not answered yet", () => {
    expect(statusText(run(live, { type: "asked", asked: "start" }), 1)).toBe("Starting …");
    expect(statusText(run(live, started, { type: "asked", asked: "stop" }), 1)).toBe("Stopping …");
  });

  test("says when no kernel answers and when it is gone", () => {
    expect(statusText(run({ type: "link", link: "silent" }), 1)).toBe(NO_KERNEL);
    expect(statusText(run(live, { type: "link", link: "gone" }), 1)).toContain("kernel is gone");
    expect(statusText(run({ type: "link", link: "closed" }), 1)).toContain("closed");
  });
});

describe("the run", () => {
  test("ends with the connection, and does not count as running when the connection is back", () => {
    expect(run(live, started, { type: "link", link: "gone" }, live).running).toBe(false);
  });

  test("continues if only a wish has failed, and ends if the drag has", () => {
    expect(run(live, started, { type: "failed", message: "no", ends: false })).toMatchObject({
      running: true,
      error: "no",
    });
    expect(run(live, started, { type: "failed", message: "no", ends: true }).running).toBe(false);
  });

  test("keeps the seed if a frame has none", () => {
    expect(run(drawn({ seed: null })).seed).toBe(7);
    expect(run(drawn()).seed).toBe(42);
  });
});

describe("the controls", () => {
  const point = { handle: p(1, 1), target: p(5, 5), locked: false };
  const answer = {
    revision: 1,
    rid: null,
    client: null,
    accepted: true,
    error: null,
    mask: "none",
    maskBytes: null,
  } as const;
  const fact: EditFact = {
    type: "edit",
    ...answer,
    points: [point],
    handles: [p(1, 1)],
    canUndo: true,
    canRedo: false,
  };
  const empty = initialEditor("me", { width: 9, height: 9 }, 64);
  const one = update(empty, { type: "fact", fact });
  const enabled = (editor: typeof empty, state: RunState): string[] => [...panelView(editor, state).enabled].sort();

  test("are all disabled without a kernel", () => {
    for (const link of ["waiting", "silent", "gone", "closed"] as const) {
      expect(enabled(one, run({ type: "link", link }))).toEqual([]);
    }
  });

  test("are enabled if their action is possible", () => {
    expect(enabled(empty, run(live))).toEqual(["erase", "mask", "reset", "seed"]);
    expect(enabled(one, run(live))).toEqual(["clear", "erase", "mask", "reset", "seed", "start", "step", "undo"]);
    expect(enabled({ ...one, selected: 0 }, run(live))).toEqual(expect.arrayContaining(["delete", "lock"]));
    expect(enabled({ ...one, canRedo: true }, run(live))).toContain("redo");
  });

  test("always let the user stop a running drag", () => {
    expect(enabled(empty, run(live, started))).toContain("start");
    expect(enabled(empty, run(live, started, { type: "asked", asked: "stop" }))).toContain("start");
  });

  test("let the user start only once until the kernel has answered", () => {
    expect(enabled(one, run(live, { type: "asked", asked: "start" }))).not.toContain("start");
  });
});
