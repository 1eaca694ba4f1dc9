import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ANSWER_WAIT, LIVE_INTERVAL, outbox } from "../src/outbox";

function fakeEditor() {
  const editor = { changes: 0, sent: 0, pace: 0, rid: 0, pending: false, asked: 0 };
  const box = outbox({
    hasUnsent: () => editor.changes !== editor.sent,
    waiting: () => editor.pending,
    pace: () => editor.pace,
    ask: () => void editor.asked++,
    send() {
      editor.sent = editor.changes;
      editor.pending = true;
      editor.rid++;
    },
  });
  const change = (): void => {
    editor.changes++;
    box.poke();
  };
  const answer = (): void => {
    editor.pending = false;
    box.poke();
  };
  return { editor, box, change, answer };
}

describe("the outbox", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("sends a change at once if no edit is unanswered", () => {
    const { editor, change } = fakeEditor();
    change();
    expect(editor.rid).toBe(1);
  });

  test("sends at most 30 edits a second while an end is moved, and always the last place", () => {
    const { editor, change, answer } = fakeEditor();
    editor.pace = LIVE_INTERVAL;
    for (let ms = 0; ms < 1000; ms += 5) {
      change();
      answer();
      vi.advanceTimersByTime(5);
    }
    expect(editor.rid).toBeGreaterThan(20);
    expect(editor.rid).toBeLessThanOrEqual(31);
    vi.advanceTimersByTime(LIVE_INTERVAL + 1);
    expect(editor.sent).toBe(editor.changes);
  });

  test("waits for the answer to the edit before, so that the next one is drawn on the newest revision", () => {
    const { editor, change, answer } = fakeEditor();
    change();
    change();
    vi.advanceTimersByTime(ANSWER_WAIT - 10);
    expect(editor).toMatchObject({ rid: 1, asked: 0 });
    answer();
    expect(editor.rid).toBe(2);
  });

  test("asks for a missing answer, each time after a longer wait, and sends nothing meanwhile", () => {
    const { editor, change } = fakeEditor();
    change();
    change();
    vi.advanceTimersByTime(ANSWER_WAIT + 1);
    expect(editor).toMatchObject({ rid: 1, asked: 1 });
    vi.advanceTimersByTime(3_600_000);
    expect(editor.rid).toBe(1);
    expect(editor.asked).toBeLessThan(70);
  });

  test("stops asking once the answer has arrived", () => {
    const { editor, change, answer } = fakeEditor();
    change();
    vi.advanceTimersByTime(ANSWER_WAIT + 1);
    answer();
    vi.advanceTimersByTime(60_000);
    expect(editor).toMatchObject({ rid: 1, asked: 1 });
  });

  test("waits for the end of the gesture if the places before it need not be sent", () => {
    const { editor, box, change } = fakeEditor();
    editor.pace = Number.POSITIVE_INFINITY;
    change();
    change();
    vi.advanceTimersByTime(60_000);
    expect(editor.rid).toBe(0);
    editor.pace = 0;
    box.poke();
    expect(editor.rid).toBe(1);
  });

  test("runs a job at once if there is nothing to send", () => {
    const { box } = fakeEditor();
    const start = vi.fn();
    box.after(start);
    expect(start).toHaveBeenCalledOnce();
  });

  test("runs a job only after the edit that it depends on was sent", () => {
    const { editor, box, change, answer } = fakeEditor();
    const start = vi.fn(() => expect(editor.sent).toBe(2));
    change();
    change();
    box.after(start);
    expect(start).not.toHaveBeenCalled();
    answer();
    expect(start).toHaveBeenCalledOnce();
    answer();
    expect(start).toHaveBeenCalledOnce();
  });

  test("keeps few clicks, and drops them when the kernel was away", () => {
    const { box, change, answer } = fakeEditor();
    const click = vi.fn();
    change();
    change();
    for (let i = 0; i < 1000; i++) box.after(click);
    answer();
    expect(click.mock.calls.length).toBeLessThanOrEqual(16);
    change();
    change();
    click.mockClear();
    box.after(click);
    box.forget();
    answer();
    expect(click).not.toHaveBeenCalled();
  });

  test("sends nothing after it was closed", () => {
    const { editor, box, change } = fakeEditor();
    change();
    change();
    box.close();
    vi.advanceTimersByTime(60_000);
    expect(editor.rid).toBe(1);
  });
});
