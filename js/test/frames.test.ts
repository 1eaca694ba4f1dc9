import { describe, expect, test } from "vitest";
import { frameQueue } from "../src/frames";
import type { Bytes, FrameFact } from "../src/messages";

function frame(seq: number, picture: Bytes | null = new Uint8Array([seq])): FrameFact {
  const common = { type: "frame", step: seq, kind: "preview", mime: "image/jpeg", width: 8, height: 8 } as const;
  return { ...common, seq, revision: 1, handles: [], distances: [], stepsPerSecond: null, seed: null, picture };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** A browser whose decoder and paint wait until the test lets them go. */
function fakeBrowser() {
  const log: string[] = [];
  const decodes: { resolve(): void; reject(): void }[] = [];
  const paints: (() => void)[] = [];
  const queue = frameQueue({
    decode(picture: Bytes) {
      const seq = new Uint8Array(picture.buffer)[0];
      log.push(`decode ${seq}`);
      return new Promise<{ close(): void }>((resolve, reject) => {
        const bitmap = { close: () => log.push(`close ${seq}`) };
        decodes.push({ resolve: () => resolve(bitmap), reject: () => reject(new Error("not a JPEG")) });
      });
    },
    nextPaint: (then) => paints.push(then),
    draw: (_, drawn) => log.push(`draw ${drawn.seq}`),
    shown: (seq) => log.push(`shown ${seq}`),
    failed: (lost) => log.push(`failed ${lost.seq}`),
  });
  return {
    queue,
    log,
    shown: () => log.filter((line) => line.startsWith("shown")),
    async decoded() {
      decodes.shift()?.resolve();
      await settled();
    },
    async broken() {
      decodes.shift()?.reject();
      await settled();
    },
    async painted() {
      paints.shift()?.();
      await settled();
    },
  };
}

describe("the frame queue", () => {
  test("decodes, draws at the next paint, frees the bitmap and only then returns the credit", async () => {
    const browser = fakeBrowser();
    browser.queue.push(frame(1));
    await browser.decoded();
    expect(browser.log).toEqual(["decode 1"]);
    await browser.painted();
    expect(browser.log).toEqual(["decode 1", "draw 1", "close 1", "shown 1"]);
  });

  test("shows the newest of the frames that arrived meanwhile and returns the credit of each once", async () => {
    const browser = fakeBrowser();
    for (const seq of [1, 2, 3, 4]) browser.queue.push(frame(seq));
    await browser.decoded();
    await browser.painted();
    await browser.decoded();
    await browser.painted();
    expect(browser.log.filter((line) => line.startsWith("draw"))).toEqual(["draw 1", "draw 4"]);
    expect(browser.shown()).toEqual(["shown 1", "shown 2", "shown 3", "shown 4"]);
  });

  test("returns the credit of a frame that cannot be decoded, and continues with the next", async () => {
    const browser = fakeBrowser();
    browser.queue.push(frame(1));
    browser.queue.push(frame(2));
    await browser.broken();
    expect(browser.log).toEqual(["decode 1", "failed 1", "shown 1", "decode 2"]);
    await browser.decoded();
    await browser.painted();
    expect(browser.shown()).toEqual(["shown 1", "shown 2"]);
  });

  test("returns the credit of a frame that arrived without its picture", async () => {
    const browser = fakeBrowser();
    browser.queue.push(frame(1, null));
    await settled();
    expect(browser.log).toEqual(["failed 1", "shown 1"]);
  });

  test("keeps the credit while the page is hidden, so that the kernel stops sending", async () => {
    const browser = fakeBrowser();
    browser.queue.push(frame(1));
    browser.queue.push(frame(2));
    await browser.decoded();
    for (const probe of [3, 4, 5]) browser.queue.push(frame(probe));
    expect(browser.shown()).toEqual([]);
    await browser.painted();
    expect(browser.shown()).toEqual(["shown 1", "shown 2", "shown 3", "shown 4"]);
  });

  test("frees the bitmap and returns no credit once closed", async () => {
    const browser = fakeBrowser();
    browser.queue.push(frame(1));
    await browser.decoded();
    browser.queue.close();
    await browser.painted();
    expect(browser.log).toEqual(["decode 1", "close 1"]);
  });
});
