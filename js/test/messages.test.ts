import { beforeEach, describe, expect, test, vi } from "vitest";
import golden from "../../tests/golden/messages.json";
import { buttonWish, inputWish } from "../src/controls";
import { imagePoint } from "../src/geometry";
import type { InputName } from "../src/inputs";
import { asBytes, editWish, parseFact, type Wish } from "../src/messages";

const picture = new DataView(new Uint8Array([0xff, 0xd8]).buffer);
const p = imagePoint;
const first = { handle: p(40, 60), target: p(80.5, 60.25), locked: false };
const locked = { handle: p(40, 60), target: p(52.5, 60), locked: true };

describe("wishes", () => {
  const client = "a1b2c3d4e5f60718";
  const fieldWish = (field: InputName, value: string, rid: number): Wish & { client: string } => {
    const wish = inputWish({ field, value }, rid, 42);
    if (wish === null) throw new Error(`${field} asks for nothing`);
    return { ...wish, client };
  };
  const colab = "0f0e0d0c0b0a0908";
  const built: Record<keyof typeof golden.to_kernel, Wish & { client: string }> = {
    hello: { type: "hello", colab: false, client },
    hello_from_colab: { type: "hello", colab: true, client: colab },
    edit_one_point: { ...editWish(1, 0, [first]), client },
    edit_two_points: { ...editWish(2, 1, [first, { handle: p(0, 0), target: p(511, 511), locked: false }]), client },
    edit_no_points: { ...editWish(3, 2, []), client },
    edit_locked_point_with_a_mask: { ...editWish(12, 3, [locked], "buffer"), client },
    edit_mask_taken_off: { ...editWish(13, 4, [], "none"), client },
    start: { ...buttonWish("start", 4, false), client },
    stop: { ...buttonWish("start", 5, true), client },
    undo: { ...buttonWish("undo", 6, false), client },
    redo: { ...buttonWish("redo", 7, false), client },
    reset: { ...buttonWish("reset", 8, false), client },
    step: { ...buttonWish("step", 9, false), client },
    seed_given: fieldWish("seed", "42", 10),
    seed_of_the_kernels_choice: { ...buttonWish("seed", 11, false), client },
    seed_with_another_truncation: fieldWish("truncation", "0.55", 14),
    settings_preset: fieldWish("preset", "paper", 15),
    settings_step_cap: fieldWish("max-steps", "120", 16),
    settings_latent_space: fieldWish("latent-space", "W", 17),
    overlay_similarity: fieldWish("overlay", "similarity", 18),
    overlay_cost: fieldWish("overlay", "cost", 19),
    shown: { type: "shown", seq: 17, client },
    tick: { type: "tick", client: colab },
  };

  test.each(Object.entries(golden.to_kernel))("the wish %s is built as the golden file has it", (name, message) => {
    expect(built[name as keyof typeof built]).toEqual(message);
  });
});

describe("facts", () => {
  beforeEach(() => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
  });

  test.each(Object.entries(golden.to_browser))("the fact %s of the golden file is understood", (_, message) => {
    expect(parseFact(message, [picture])).toMatchObject({ type: message.type });
    expect(console.warn).not.toHaveBeenCalled();
  });

  test("an edit keeps every position, in order", () => {
    expect(parseFact(golden.to_browser.edit_refused)).toEqual({
      type: "edit",
      revision: 1,
      rid: 2,
      client: "a1b2c3d4e5f60718",
      accepted: false,
      error: "handle 2 at (530, 12) is outside the 512 x 512 image; move it inside",
      points: [first],
      handles: [p(52.5, 60)],
      mask: "keep",
      maskBytes: null,
    });
  });

  test("a run says what the session does, why the last drag is over and what can be done", () => {
    expect(parseFact(golden.to_browser.run_cap)).toEqual({
      type: "run",
      revision: 1,
      running: false,
      ended: { reason: "cap", message: "The drag made its 300 steps." },
      canUndo: true,
      canRedo: true,
      canReset: true,
    });
    expect(parseFact(golden.to_browser.run_running)).toMatchObject({ running: true, ended: null });
  });

  test("a point without the field `locked` is not locked; a locked point and its mask are read", () => {
    const bytes = new Uint8Array([1, 0]);
    const message = { ...golden.to_browser.edit_locked_point_with_a_mask, rid: null };
    const point = { handle: p(40, 60), target: p(52.5, 60) };
    expect(parseFact(message, [bytes])).toMatchObject({ points: [locked], mask: "buffer", maskBytes: bytes });
    expect(parseFact({ ...message, points: [{ handle: [40, 60], target: [52.5, 60] }] }, [bytes])).toMatchObject({
      points: [{ ...point, locked: false }],
    });
  });

  test("settings carry the choices, and name the wish that they answer", () => {
    const answer = { ...golden.to_browser.settings, rid: 15, client: "a1b2c3d4e5f60718" };
    expect(parseFact(answer)).toEqual({
      type: "settings",
      preset: "default",
      presets: ["default", "paper", "official"],
      maxSteps: 300,
      latentSpace: "W+",
      latentSpaces: ["W+", "W"],
      rid: 15,
      client: "a1b2c3d4e5f60718",
    });
  });

  test("a frame carries its picture and its numbers", () => {
    expect(parseFact(golden.to_browser.frame_preview, [picture])).toEqual({
      type: "frame",
      seq: 17,
      step: 34,
      kind: "preview",
      mime: "image/jpeg",
      width: 256,
      height: 256,
      revision: 1,
      handles: [p(61.5, 60)],
      distances: [19],
      stepsPerSecond: 9.8,
      seed: 42,
      picture,
    });
  });

  test("a frame without its buffer is still a frame, because it costs a credit", () => {
    expect(parseFact(golden.to_browser.frame_preview, [])).toMatchObject({ seq: 17, picture: null });
  });

  test.each(Object.entries(golden.malformed_to_browser))(
    "the malformed fact %s is ignored with a warning",
    (_, bad) => {
      expect(parseFact(bad.message, [picture])).toBeNull();
      expect(console.warn).toHaveBeenCalledOnce();
    },
  );

  test.each(Object.entries(golden.to_browser))("the fact %s is ignored when any one field is missing", (_, message) => {
    for (const key of Object.keys(message)) {
      const rest = Object.fromEntries(Object.entries(message).filter(([name]) => name !== key));
      expect(parseFact(rest, [picture]), key).toBeNull();
    }
  });

  test.each([null, undefined, 7, "edit", [], {}, { type: "constructor" }])("%o is ignored", (content) => {
    expect(parseFact(content)).toBeNull();
  });
});

test("bytes are read from Jupyter's DataView and Colab's Uint8Array, and from nothing else", () => {
  expect(asBytes(picture)).toBe(picture);
  expect(asBytes(new Uint8Array([1]))).toEqual(new Uint8Array([1]));
  for (const value of [null, undefined, "AAAA", new Uint8Array(0), [1, 2]]) expect(asBytes(value)).toBeNull();
});
