import { describe, expect, test } from "vitest";
import { panelView } from "../src/controls";
import { initialEditor, update } from "../src/editor";
import { imagePoint as p } from "../src/geometry";
import type { EditFact, FrameFact } from "../src/messages";
import {
  type EditSummary,
  initialRun,
  NO_KERNEL,
  NO_POINTS,
  type RunAction,
  type RunState,
  statusText,
  updateRun,
} from "../src/run";

function run(...actions: readonly RunAction[]): RunState {
  return actions.reduce(updateRun, initialRun(false, 7));
}

const live: RunAction = { type: "link", link: "live" };
const can = { canUndo: true, canRedo: false, canReset: true };
const started: RunAction = { type: "run", revision: 1, running: true, ended: null, ...can };
const ended = { reason: "arrived", message: "Arrived." } as const;
const arrived: RunAction = { type: "run", revision: 1, running: false, ended, ...can };

/** An edit at revision 1 with so many points, the farthest 12.34 px from its target. */
function edit(points: number, revision = 1, left = points === 0 ? null : 12.34): EditSummary {
  return { revision, points, left };
}

function drawn(more: Partial<FrameFact> = {}): RunAction {
  const numbers = { seq: 4, step: 34, revision: 1, stepsPerSecond: 9.84, seed: 42, distances: [3, 5] };
  const picture = { kind: "preview", mime: "image/jpeg", width: 8, height: 8, handles: [], picture: null } as const;
  return { type: "drawn", frame: { type: "frame", ...numbers, ...picture, ...more } };
}

describe("the status line", () => {
  test("says how to begin when there are no points", () => {
    expect(statusText(run(live), edit(0))).toBe(NO_POINTS);
  });

  test("tells the step, the farthest handle's distance, the speed and which picture is shown", () => {
    expect(statusText(run(live, started, drawn()), edit(2))).toBe("step 34 · 12.3 px left · 9.8 steps/s · preview");
    expect(statusText(run(live, started, drawn({ kind: "picture", stepsPerSecond: null })), edit(2))).toBe(
      "step 34 · 12.3 px left · full picture",
    );
  });

  test("tells why the drag ended and at which step", () => {
    const state = run(live, started, drawn({ kind: "final" }), arrived);
    expect(statusText(state, edit(1, 1, 0.8))).toBe("Arrived. · step 34 · 0.8 px left · full picture");
  });

  test("no longer tells why the last drag ended once the edit changes or the next drag starts", () => {
    expect(statusText(run(live, started, arrived, { type: "edited" }), edit(1))).toBe("1 point: press Start.");
    expect(statusText(run(live, started, arrived, started), edit(1))).toBe("Running …");
  });

  test("describes the state that is shown: not why a drag of another one was over, nor how far its points were", () => {
    const over = run(live, started, drawn({ kind: "final" }), arrived);
    const undone = run(
      live,
      started,
      arrived,
      { ...arrived, revision: 2, ended: null },
      drawn({ step: 0, revision: 2 }),
    );
    expect(statusText(undone, edit(1, 2))).toBe("1 point: press Start.");
    expect(statusText(undone, edit(0, 2))).toBe(NO_POINTS);
    expect(statusText(over, edit(1, 2, 30))).toBe("step 34 · 30.0 px left · full picture"); // the fact of 2 was lost
    expect(statusText(over, edit(0))).toBe(NO_POINTS);
  });

  test("says what is wrong with an entered value", () => {
    expect(statusText(run(live, { type: "note", note: "Seed is -1." }), edit(1))).toBe("Seed is -1.");
  });

  test("says where the new widget is once the cell of this one ran again", () => {
    const closed: RunAction = { type: "link", link: "closed", lastWords: "The new one is in cell [7]." };
    expect(statusText(run(closed), edit(1))).toBe("The new one is in cell [7].");
  });

  test("shows that a wish is not answered yet", () => {
    expect(statusText(run(live, { type: "asked", asked: "start" }), edit(1))).toBe("Starting …");
    expect(statusText(run(live, started, { type: "asked", asked: "stop" }), edit(1))).toBe("Stopping …");
  });

  test("says when no kernel answers and when it is gone", () => {
    expect(statusText(run({ type: "link", link: "silent" }), edit(1))).toBe(NO_KERNEL);
    expect(statusText(run(live, { type: "link", link: "gone" }), edit(1))).toContain("kernel is gone");
    expect(statusText(run({ type: "link", link: "closed" }), edit(1))).toContain("closed");
  });
});

describe("the run", () => {
  test("ends with the connection, and does not count as running when the connection is back", () => {
    expect(run(live, started, { type: "link", link: "gone" }, live).running).toBe(false);
  });

  test("continues when something has failed, until the kernel says that it is over", () => {
    const failed: RunAction = { type: "failed", message: "no" };
    expect(run(live, started, failed)).toMatchObject({ running: true, error: "no" });
    expect(run(live, started, failed, { ...arrived, ended: null })).toMatchObject({ running: false, error: "no" });
  });

  test("forgets an error and a note when the kernel has another state", () => {
    const bad = run(live, started, { type: "failed", message: "no" }, { type: "note", note: "Seed is -1." });
    expect(updateRun(bad, arrived)).toMatchObject({ error: "no", note: "Seed is -1." });
    expect(updateRun(bad, { ...arrived, revision: 2 })).toMatchObject({ error: null, note: null });
  });

  test("is not changed by a fact that came late, but by any fact once the line was cut", () => {
    const late: RunAction = { ...started, revision: 0 };
    expect(run(live, started, arrived, late)).toMatchObject({ running: false, ended });
    expect(run(live, arrived, { type: "link", link: "gone" }, live, late)).toMatchObject({
      running: true,
      revision: 0,
    });
  });

  test("knows an answer to Start or Stop by what it says, and any fact for it once it is overdue", () => {
    const asked: RunAction = { type: "asked", asked: "start" };
    expect(run(live, asked, arrived).asked).toBe("start"); // the fact answers an edit
    expect(run(live, asked, started).asked).toBeNull();
    expect(run(live, started, { type: "asked", asked: "stop" }, started).asked).toBe("stop");
    expect(run(live, started, { type: "asked", asked: "stop" }, arrived).asked).toBeNull();
    expect(run(live, asked, { type: "overdue" }, arrived).asked).toBeNull();
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
    expect(enabled(empty, run(live))).toEqual(["erase", "mask", "seed"]);
    expect(enabled(one, run(live))).toEqual(["clear", "erase", "mask", "seed", "start", "step"]);
    expect(enabled(one, run(live, arrived))).toEqual(expect.arrayContaining(["undo", "reset"]));
    expect(enabled({ ...one, selected: 0 }, run(live))).toEqual(expect.arrayContaining(["delete", "lock"]));
    expect(enabled(one, run(live, { ...arrived, canRedo: true, canReset: false }))).toContain("redo");
    expect(enabled(one, run(live, { ...arrived, canReset: false }))).not.toContain("reset");
  });

  test("always let the user stop a running drag", () => {
    expect(enabled(empty, run(live, started))).toContain("start");
    expect(enabled(empty, run(live, started, { type: "asked", asked: "stop" }))).toContain("start");
  });

  test("let the user start only once until the kernel has answered", () => {
    expect(enabled(one, run(live, { type: "asked", asked: "start" }))).not.toContain("start");
  });

  test("say why nothing can be started", () => {
    const why = (editor: typeof empty, state: RunState) => panelView(editor, state).startRefusal;
    expect(why(empty, run(live))).toBe(NO_POINTS);
    expect(why(one, run({ type: "link", link: "silent" }))).toBe(NO_KERNEL);
    expect(why(one, run(live, { type: "asked", asked: "start" }))).toBe("The kernel has not answered yet");
    expect(why(one, run(live))).toBeNull();
    expect(why(empty, run(live, started))).toBeNull(); // the button stops
  });
});
