import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ANSWER_WAIT, LIVE_INTERVAL, outbox } from "../src/outbox";

function fakeEditor() {
  const editor = { changes: 0, sent: 0, down: false, rid: 0, sentAt: [] as number[] };
  const box = outbox({
    hasUnsent: () => editor.changes !== editor.sent,
    pointerDown: () => editor.down,
    send() {
      editor.sent = editor.changes;
      editor.sentAt.push(performance.now());
      return ++editor.rid;
    },
  });
  const change = (): void => {
    editor.changes++;
    box.poke();
  };
  return { editor, box, change };
}

describe("the outbox", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("sends a change at once when nothing is under way", () => {
    const { editor, change } = fakeEditor();
    change();
    expect(editor.rid).toBe(1);
  });

  test("sends at most 30 edits a second while an end is moved, and the last place in any case", () => {
    const { editor, box, change } = fakeEditor();
    editor.down = true;
    for (let ms = 0; ms < 1000; ms += 5) {
      change();
      box.answered(editor.rid);
      vi.advanceTimersByTime(5);
    }
    expect(editor.rid).toBeGreaterThan(20);
    expect(editor.rid).toBeLessThanOrEqual(31);
    vi.advanceTimersByTime(LIVE_INTERVAL + 1);
    expect(editor.sent).toBe(editor.changes);
  });

  test("waits for the answer to the edit before, so that the next one is drawn on the newest revision", () => {
    const { editor, box, change } = fakeEditor();
    change();
    change();
    vi.advanceTimersByTime(ANSWER_WAIT - 10);
    expect(editor.rid).toBe(1);
    box.answered(1);
    expect(editor.rid).toBe(2);
  });

  test("does not wait for ever: the newest edit goes after a quarter of a second", () => {
    const { editor, change } = fakeEditor();
    change();
    change();
    change();
    vi.advanceTimersByTime(ANSWER_WAIT + 1);
    expect(editor.rid).toBe(2);
    expect(editor.sent).toBe(3);
  });

  test("an answer to an older edit does not let the next one go early", () => {
    const { editor, box, change } = fakeEditor();
    change();
    change();
    vi.advanceTimersByTime(ANSWER_WAIT + 1);
    change();
    box.answered(1);
    expect(editor.rid).toBe(2);
  });

  test("flush sends what is unsent before another wish", () => {
    const { editor, box, change } = fakeEditor();
    change();
    change();
    box.flush();
    expect(editor.rid).toBe(2);
    box.flush();
    expect(editor.rid).toBe(2);
  });

  test("sends nothing after it was closed", () => {
    const { editor, box, change } = fakeEditor();
    change();
    change();
    box.close();
    vi.advanceTimersByTime(1000);
    expect(editor.rid).toBe(1);
  });
});
