// The queue of frames: one is decoded at a time, then the newest; the credit of each received frame is returned once.

import { asBytes, type Bytes, type FrameFact } from "./messages";

export interface Picture {
  close(): void;
}

export interface FramePorts<P extends Picture> {
  decode(picture: Bytes, mime: string): Promise<P>;
  /** Calls back at the next paint. In a hidden tab that is when the tab is shown again, so frames stop until then. */
  nextPaint(then: () => void): void;
  draw(picture: P, frame: FrameFact): void;
  /** Returns the one credit of this frame. */
  shown(seq: number): void;
  failed(frame: FrameFact, error: unknown): void;
}

export interface FrameQueue {
  push(frame: FrameFact): void;
  close(): void;
}

export function frameQueue<P extends Picture>(ports: FramePorts<P>): FrameQueue {
  let waiting: FrameFact | null = null;
  let passedOver: number[] = []; // `seq` of the frames that a newer one has replaced
  let working = false;
  let closed = false;

  async function show(frame: FrameFact): Promise<void> {
    let picture: P | null = null;
    try {
      if (frame.picture === null) throw new Error("the message came without its picture");
      picture = await ports.decode(frame.picture, frame.mime);
      await new Promise<void>((resolve) => ports.nextPaint(resolve));
      if (!closed) ports.draw(picture, frame);
    } catch (error) {
      if (!closed) ports.failed(frame, error);
    } finally {
      picture?.close();
      if (!closed) returnCredit(frame.seq);
    }
  }

  // Only after a frame was drawn: a hidden page draws nothing, so it must not make the kernel send more.
  function returnCredit(seq: number): void {
    for (const credit of [seq, ...passedOver]) ports.shown(credit);
    passedOver = [];
  }

  async function work(): Promise<void> {
    working = true;
    while (waiting !== null && !closed) {
      const frame: FrameFact = waiting;
      waiting = null;
      await show(frame);
    }
    working = false;
  }

  return {
    push(frame) {
      if (closed) return;
      if (waiting !== null) passedOver.push(waiting.seq);
      waiting = frame;
      if (!working) void work();
    },
    close() {
      closed = true;
      waiting = null;
    },
  };
}

/** `new Blob([view])` copies the view alone, even if it is part of a larger buffer. */
function decodePicture(picture: Bytes, mime: string): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([picture], { type: mime }));
}

/** How frames are decoded and painted in a browser. */
export const SCREEN: Pick<FramePorts<ImageBitmap>, "decode" | "nextPaint"> = {
  decode: decodePicture,
  nextPaint: (then) => void requestAnimationFrame(then),
};

export function notShown({ step }: FrameFact, error: unknown): string {
  return `The picture of step ${step} could not be shown: ${String(error)}`;
}

/** Draws the saved picture, shown until the first frame; nothing if there is none or it cannot be decoded. */
export async function usePoster(value: unknown, draw: (picture: ImageBitmap) => void): Promise<void> {
  const poster = asBytes(value);
  const picture = poster === null ? null : await decodePicture(poster, "image/jpeg").catch(() => null);
  if (picture === null) return;
  draw(picture);
  picture.close();
}
