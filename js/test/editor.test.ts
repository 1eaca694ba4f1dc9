import { describe, expect, test } from "vitest";
import { type EditorAction, endAt, hasUnsent, initialEditor, maskWord, update } from "../src/editor";
import { imagePoint as p } from "../src/geometry";
import type { EditFact, EditPoint } from "../src/messages";
import type { EditorState } from "../src/state";

const ME = "me";
const a: EditPoint = { handle: p(10, 10), target: p(50, 10), locked: false };
const b: EditPoint = { handle: p(20, 80), target: p(60, 90), locked: false };
const c: EditPoint = { handle: p(90, 20), target: p(90, 60), locked: false };

function fact(revision: number, points: readonly EditPoint[], more: Partial<EditFact> = {}): EditFact {
  const answer = { rid: null, client: null, accepted: true, error: null, mask: "none", maskBytes: null } as const;
  const handles = points.map((point) => point.handle);
  return { type: "edit", revision, ...answer, points, handles, ...more };
}

function run(state: EditorState, ...actions: readonly EditorAction[]): EditorState {
  return actions.reduce(update, state);
}

function fresh(points: readonly EditPoint[] = [], revision = 3): EditorState {
  return run(initialEditor(ME, { width: 100, height: 100 }, 64), { type: "fact", fact: fact(revision, points) });
}

const press = (x: number, y: number, hit: { index: number; end: "handle" | "target" } | null = null) =>
  ({ type: "press", at: p(x, y), hit, slop: 4 }) as const;
const drag = (x: number, y: number) => ({ type: "drag", at: p(x, y) }) as const;
const release = { type: "release" } as const;
const heard = (value: EditFact) => ({ type: "fact", fact: value }) as const;
const onTarget = { index: 0, end: "target" } as const;
const onHandle = { index: 0, end: "handle" } as const;

describe("drawing a point", () => {
  test("press, drag, release makes a handle where it was pressed and a target where it was let go", () => {
    const state = run(fresh(), press(10, 10), drag(30, 10), drag(50, 10), release);
    expect(state.points).toEqual([a]);
    expect(state.handles).toEqual([a.handle]);
    expect(state.selected).toBe(0);
    expect(hasUnsent(state)).toBe(true);
  });

  test("nothing is sent while the arrow is being drawn", () => {
    const state = run(fresh(), press(10, 10), drag(50, 10));
    expect(hasUnsent(state)).toBe(false);
    expect(state.gesture).toMatchObject({ kind: "new", from: p(10, 10), to: p(50, 10) });
  });

  test("a click sets the handle, an arrow follows the pointer, and the next click sets the target", () => {
    const half = run(fresh(), press(10, 10), drag(12, 11), release);
    expect(half.points).toEqual([]);
    expect(half.gesture).toMatchObject({ kind: "new", armed: true, from: p(10, 10) });
    const followed = run(half, drag(30, 20), drag(50, 10));
    expect(followed.gesture).toMatchObject({ from: p(10, 10), to: p(50, 10) });
    expect(hasUnsent(followed)).toBe(false);
    expect(run(followed, press(50, 10), release).points).toEqual([a]);
    expect(run(half, press(45, 10), drag(50, 10), release).points).toEqual([a]);
  });

  test("a second click on the handle itself, or Escape, takes the half-made point back", () => {
    const half = run(fresh(), press(10, 10), release);
    expect(run(half, press(11, 10), release)).toMatchObject({ points: [], gesture: null });
    expect(run(half, { type: "cancel" })).toMatchObject({ points: [], gesture: null });
  });

  test("the target of a half-made point may lie on another point", () => {
    const state = run(fresh([a]), press(10, 60), release, press(50, 10, onTarget), release);
    expect(state.points).toEqual([a, { handle: p(10, 60), target: p(50, 10), locked: false }]);
  });

  test("while the user has a point selected, the first click elsewhere only deselects it", () => {
    const state = run(fresh([a]), { type: "select", index: 0 }, press(70, 70), drag(72, 71), release);
    expect(state).toMatchObject({ points: [a], selected: null, gesture: null });
    expect(run(state, press(70, 70), release).gesture).toMatchObject({ armed: true });
  });

  test("after a point was drawn, a click elsewhere begins the next one", () => {
    const state = run(fresh(), press(10, 10), drag(50, 10), release, { type: "select", index: 0 });
    expect(run(state, press(70, 70), release).gesture).toMatchObject({ armed: true, from: p(70, 70) });
  });

  test("a half-made point outlasts an edit of the kernel, which is shown at once", () => {
    const state = run(fresh([a], 3), press(70, 70), release, heard(fact(4, [b])));
    expect(state).toMatchObject({ points: [b], gesture: { armed: true } });
  });

  test("a target drawn past the edge stays on the picture", () => {
    expect(run(fresh(), press(10, 10), drag(300, -40), release).points[0]?.target).toEqual(p(99, 0));
  });

  test("Escape takes the arrow back", () => {
    const state = run(fresh(), press(10, 10), drag(50, 10), { type: "cancel" }, release);
    expect(state.points).toEqual([]);
    expect(hasUnsent(state)).toBe(false);
  });

  test("one point more than allowed is refused with a reason", () => {
    const state = run({ ...fresh([a]), maxPoints: 1 }, press(70, 70), drag(90, 90), release);
    expect(state.points).toEqual([a]);
    expect(state.error).toBe("No more than 1 points; delete one to add another.");
  });
});

describe("moving an end", () => {
  test("the end moves by as much as the pointer, not to the pointer", () => {
    const state = run(fresh([a]), press(53, 12, onTarget), drag(63, 22), release);
    expect(state.points[0]).toEqual({ handle: p(10, 10), target: p(60, 20), locked: false });
  });

  test("each place that the end passes is a change to be sent", () => {
    const state = run(fresh([a]), press(50, 10, onTarget), drag(60, 10));
    expect(hasUnsent(state)).toBe(true);
  });

  test("a press without movement only selects", () => {
    const state = run(fresh([a]), press(51, 11, onTarget), drag(52, 11), release);
    expect(state.selected).toBe(0);
    expect(state.points).toEqual([a]);
    expect(hasUnsent(state)).toBe(false);
  });

  test("a handle is picked up where the drag has taken it", () => {
    const tracked = fresh([a], 3);
    const moved = run(tracked, { type: "tracked", revision: 3, handles: [p(30, 10)] });
    const state = run(moved, press(30, 10, onHandle), drag(30, 20), release);
    expect(state.points[0]?.handle).toEqual(p(30, 20));
    expect(state.handles).toEqual([p(30, 20)]);
  });

  test("moving a target leaves the handle as the kernel has it", () => {
    const moved = run(fresh([a], 3), { type: "tracked", revision: 3, handles: [p(30, 10)] });
    const state = run(moved, press(50, 10, onTarget), drag(50, 30), release);
    expect(state.points[0]?.handle).toBe(a.handle);
    expect(state.handles).toEqual([p(30, 10)]);
  });

  test("cancelling puts the end back; nothing is sent if no place was sent before", () => {
    const state = run(fresh([a]), press(50, 10, onTarget), drag(70, 10), { type: "cancel" });
    expect(state.points).toEqual([a]);
    expect(hasUnsent(state)).toBe(false);
  });

  test("cancelling sends the end's old place if a place was sent before", () => {
    const half = run(fresh([a]), press(50, 10, onTarget), drag(70, 10), { type: "sent", rid: 1 });
    expect(hasUnsent(run(half, { type: "cancel" }))).toBe(true);
    const answered = run(half, heard(fact(4, half.points, { rid: 1, client: ME })), { type: "cancel" });
    expect(hasUnsent(answered)).toBe(true);
  });

  test("the arrow keys move the end by a pixel and keep it on the picture", () => {
    const left = { type: "nudge", ref: onHandle, dx: -1, dy: 0 } as const;
    expect(run(fresh([a]), left).points[0]?.handle).toEqual(p(9, 10));
    expect(run(fresh([a]), { ...left, dx: -50 }).points[0]?.handle).toEqual(p(0, 10));
  });
});

describe("deleting", () => {
  test("takes out the point and keeps the others' tracked places", () => {
    const moved = run(fresh([a, b, c]), { type: "tracked", revision: 3, handles: [p(1, 1), p(2, 2), p(3, 3)] });
    const state = run(moved, { type: "delete", index: 1 });
    expect(state.points).toEqual([a, c]);
    expect(state.handles).toEqual([p(1, 1), p(3, 3)]);
    expect(state.selected).toBeNull();
  });

  test("a point that is not there changes nothing", () => {
    const state = fresh([a]);
    expect(run(state, { type: "delete", index: 5 })).toBe(state);
  });

  test("clear takes out all points, and nothing is sent where there are none", () => {
    expect(run(fresh([a, b]), { type: "clear" }).points).toEqual([]);
    expect(hasUnsent(run(fresh(), { type: "clear" }))).toBe(false);
  });
});

describe("locking", () => {
  const tracked = run(fresh([a], 3), { type: "tracked", revision: 3, handles: [p(30, 10)] });
  const held = run(tracked, { type: "lock", index: 0 });

  test("holds the point where the drag has taken it", () => {
    expect(held.points).toEqual([{ ...a, target: p(30, 10), locked: true }]);
    expect(hasUnsent(held)).toBe(true);
  });

  test("neither end of a locked point moves", () => {
    expect(run(held, press(30, 10, onTarget), drag(60, 60), release).points).toEqual(held.points);
    expect(run(held, { type: "nudge", ref: onHandle, dx: 5, dy: 0 }).points).toEqual(held.points);
  });

  test("unlocking gives the former target back, also after the kernel's answer", () => {
    const answer = { ...fact(4, held.points, { rid: 1, client: ME }), handles: [p(30, 10)] };
    const answered = run(held, { type: "sent", rid: 1 }, heard(answer));
    expect(run(answered, { type: "lock", index: 0 }).points).toEqual([a]);
  });

  test("a point that was locked elsewhere stays at its handle's place", () => {
    const elsewhere: EditPoint = { handle: p(5, 5), target: p(9, 9), locked: true };
    const unlocked = run(fresh([elsewhere]), { type: "lock", index: 0 });
    expect(unlocked.points).toEqual([{ handle: p(5, 5), target: p(5, 5), locked: false }]);
  });
});

describe("the mask", () => {
  const bytes = (value: 0 | 1) => new Uint8Array(100 * 100).fill(value);
  const brush = { type: "tool", tool: "brush" } as const;
  const erase = { type: "tool", tool: "erase" } as const;
  const stroked = run(fresh([a]), brush, press(50, 50), drag(60, 50), release);
  const at = (state: EditorState, x: number, y: number) => state.mask?.[y * 100 + x];

  test("begins with the first stroke, which alone may move, and is sent when the stroke ends", () => {
    expect(hasUnsent(run(fresh([a]), brush, press(50, 50), drag(60, 50)))).toBe(false);
    expect([at(stroked, 55, 50), at(stroked, 55, 70), at(stroked, 90, 50)]).toEqual([1, 0, 0]);
    expect([hasUnsent(stroked), maskWord(stroked)]).toEqual([true, "buffer"]);
  });

  test("loses what the eraser takes; without a mask the eraser takes from everything", () => {
    expect(at(run(stroked, erase, press(50, 50), release), 50, 50)).toBe(0);
    const held = run(fresh(), erase, press(50, 50), release);
    expect([at(held, 50, 50), at(held, 90, 90)]).toEqual([0, 1]);
  });

  test("is removed when nothing is left of it, and by clearing it", () => {
    expect(run(stroked, erase, { type: "brush", size: 256 }, press(50, 50), release).mask).toBeNull();
    expect(run(stroked, { type: "clear-mask" }).mask).toBeNull();
    const known = run(fresh([a]), heard(fact(4, [a], { mask: "buffer", maskBytes: bytes(1) })), { type: "clear-mask" });
    expect(maskWord(known)).toBe("none");
  });

  test("stays through moved points, and through facts that keep it", () => {
    const answer = fact(4, [a], { rid: 1, client: ME, mask: "keep" });
    const answered = run(stroked, { type: "sent", rid: 1 }, heard(answer));
    expect(answered.mask).toBe(stroked.mask);
    const moved = run(answered, { type: "tool", tool: "points" }, press(50, 10, onTarget), drag(60, 30), release);
    expect([moved.mask === stroked.mask, maskWord(moved)]).toEqual([true, "keep"]);
    expect(run(answered, heard(fact(5, [], { mask: "keep" }))).mask).toBe(stroked.mask);
  });

  test("is the kernel's where the kernel sends one, and the same object while it stays the same", () => {
    const told = run(fresh([a]), heard(fact(4, [a], { mask: "buffer", maskBytes: bytes(1) })));
    expect(told.mask).toEqual(bytes(1));
    const again = run(told, heard(fact(5, [b], { mask: "buffer", maskBytes: bytes(1) })));
    expect(again.mask).toBe(told.mask);
    expect(run(told, heard(fact(5, [a], { mask: "none" }))).mask).toBeNull();
  });

  test("is asked for if its bytes are missing, or if a revision that may have changed it was missed", () => {
    const state = fresh([a], 3);
    expect(run(state, heard(fact(4, [a], { mask: "buffer" }))).lost).toBe(4);
    expect(run(state, heard(fact(5, [a], { mask: "keep" }))).lost).toBe(5);
    expect(run(state, heard(fact(4, [a], { mask: "keep" }))).lost).toBeNull();
    expect(run(state, heard(fact(5, [a], { mask: "keep" })), heard(fact(5, [a]))).lost).toBeNull();
  });

  test("is removed when the picture's size changes", () => {
    expect(run(stroked, { type: "resize", size: { width: 50, height: 50 } }).mask).toBeNull();
  });
});

describe("what the kernel says", () => {
  const drawn = run(fresh([a]), press(20, 80), drag(60, 90), release, { type: "sent", rid: 7 });

  test("its answer replaces the points", () => {
    const rounded: EditPoint = { handle: p(20, 80), target: p(60, 89), locked: false };
    const state = run(drawn, heard(fact(4, [a, rounded], { rid: 7, client: ME })));
    expect(state.points).toEqual([a, rounded]);
    expect(state).toMatchObject({ revision: 4, pending: null, selected: 1, error: null });
  });

  test("a refusal brings back the kernel's points and tells why", () => {
    const state = run(drawn, heard(fact(3, [a], { rid: 7, client: ME, accepted: false, error: "outside" })));
    expect(state).toMatchObject({ points: [a], selected: null, error: "outside", pending: null });
    expect(hasUnsent(state)).toBe(false);
  });

  test("the answer to an older edit does not overwrite the points of the unanswered one", () => {
    const state = run(drawn, heard(fact(4, [a], { rid: 6, client: ME })));
    expect(state.points).toEqual([a, b]);
    expect(state).toMatchObject({ revision: 4, pending: 7 });
  });

  test("an edit of another view is shown only after the own edit is answered", () => {
    const state = run(drawn, heard(fact(4, [c], { rid: 9, client: "other" })));
    expect(state.points).toEqual([a, b]);
    expect(run(state, heard(fact(5, [c, b], { rid: 7, client: ME }))).points).toEqual([c, b]);
  });

  test("the answer may come after a newer edit, which is then shown", () => {
    const state = run(drawn, heard(fact(5, [c])), heard(fact(4, [a, b], { rid: 7, client: ME })));
    expect(state).toMatchObject({ points: [c], revision: 5, pending: null });
  });

  test("an edit that the kernel never received is sent again; if the kernel has a newer revision, its edit holds", () => {
    const asked = run(drawn, { type: "overdue" });
    expect(hasUnsent(run(asked, heard(fact(3, [a]))))).toBe(true);
    expect(run(asked, heard(fact(3, [a]))).points).toEqual([a, b]);
    expect(run(asked, heard(fact(4, [c])))).toMatchObject({ points: [c], pending: null });
  });

  test("an edit that arrived while an end was held is shown when the end is released unmoved", () => {
    const state = run(fresh([a], 3), press(50, 10, onTarget), heard(fact(4, [b, c])));
    expect(state.points).toEqual([a]);
    expect(run(state, release).points).toEqual([b, c]);
  });

  test("the refusal of an edit that arrived twice is not an error", () => {
    const answered = run(drawn, heard(fact(4, [a, b], { rid: 7, client: ME, accepted: false, error: "stale" })));
    expect(answered).toMatchObject({ points: [a, b], error: null });
  });

  test("an older revision is ignored", () => {
    expect(run(fresh([a], 3), heard(fact(2, [b]))).points).toEqual([a]);
  });

  test("after the kernel was away its next edit holds whatever the revision", () => {
    const state = run(drawn, { type: "resync" }, heard(fact(0, [c])));
    expect(state).toMatchObject({ points: [c], revision: 0 });
  });

  test("an edit made in Python is shown at once if no local change is open", () => {
    expect(run(fresh([a], 3), heard(fact(4, [b, c]))).points).toEqual([b, c]);
  });

  test("an edit made in Python does not take the point out of the user's hand", () => {
    const state = run(fresh([a], 3), press(50, 10, onTarget), drag(70, 10), heard(fact(4, [b, c])));
    expect(state.points[0]?.target).toEqual(p(70, 10));
    expect(state.revision).toBe(4);
  });

  test("the selection ends when its point is removed", () => {
    expect(run(fresh([a, b]), { type: "select", index: 1 }, heard(fact(4, [a]))).selected).toBeNull();
  });
});

describe("tracked handles", () => {
  test("are taken from a frame of the same revision only", () => {
    const state = fresh([a], 3);
    expect(run(state, { type: "tracked", revision: 3, handles: [p(30, 10)] }).handles).toEqual([p(30, 10)]);
    expect(run(state, { type: "tracked", revision: 2, handles: [p(30, 10)] }).handles).toEqual([a.handle]);
    expect(run(state, { type: "tracked", revision: 4, handles: [p(30, 10)] }).handles).toEqual([a.handle]);
  });

  test("do not pull back a handle that the user has just put elsewhere", () => {
    const held = run(fresh([a, b], 3), press(10, 10, onHandle), drag(10, 40), release, { type: "sent", rid: 1 });
    const state = run(held, { type: "tracked", revision: 3, handles: [p(12, 10), p(22, 80)] });
    expect(state.handles).toEqual([p(10, 40), p(22, 80)]);
  });

  test("are still taken while the user moves the target", () => {
    const held = run(fresh([a], 3), press(50, 10, onTarget), drag(50, 40));
    expect(run(held, { type: "tracked", revision: 3, handles: [p(12, 11)] }).handles).toEqual([p(12, 11)]);
  });
});

describe("the end under a press", () => {
  test("is the nearest within reach", () => {
    expect(endAt(fresh([a, b]), p(12, 11), 14)).toEqual({ index: 0, end: "handle" });
    expect(endAt(fresh([a, b]), p(58, 88), 14)).toEqual({ index: 1, end: "target" });
    expect(endAt(fresh([a, b]), p(35, 45), 14)).toBeNull();
  });

  test("is the target if a handle has arrived on it, so that the drag can be continued", () => {
    const arrived = run(fresh([a], 3), { type: "tracked", revision: 3, handles: [a.target] });
    expect(endAt(arrived, p(51, 10), 14)).toEqual({ index: 0, end: "target" });
  });
});

test("the state that goes in is never changed", () => {
  const freeze = (state: EditorState): EditorState => {
    for (const value of [state.points, state.handles, state.base]) Object.freeze(value);
    return Object.freeze(state);
  };
  const actions: readonly EditorAction[] = [
    press(20, 80),
    drag(60, 90),
    release,
    { type: "sent", rid: 1 },
    heard(fact(4, [a, b], { rid: 1, client: ME })),
    { type: "tracked", revision: 4, handles: [p(11, 10), p(21, 80)] },
    { type: "nudge", ref: onTarget, dx: 1, dy: 0 },
    { type: "delete", index: 0 },
    { type: "clear" },
  ];
  expect(actions.reduce((state, action) => freeze(update(state, action)), freeze(fresh([a]))).points).toEqual([]);
});
