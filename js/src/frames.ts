// Frames as they come: decode one at a time, the newest wins, and each received frame gives its credit back once.

import { asBytes, type Bytes, type FrameFact } from "./messages";

export interface Picture {
  close(): void;
}

export interface FramePorts<P extends Picture> {
  decode(picture: Bytes, mime: string): Promise<P>;
  /** Calls back when the screen is next painted; in a hidden tab that is when it shows again, so frames stop there. */
  nextPaint(then: () => void): void;
  draw(picture: P, frame: FrameFact): void;
  /** The one credit of this frame. */
  shown(seq: number): void;
  failed(frame: FrameFact, error: unknown): void;
}

export interface FrameQueue {
  push(frame: FrameFact): void;
  close(): void;
}

export function frameQueue<P extends Picture>(ports: FramePorts<P>): FrameQueue {
  let waiting: FrameFact | null = null;
  let passedOver: number[] = []; // credits of frames that a newer one has replaced
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
      if (!closed) giveBack(frame.seq);
    }
  }

  // Only when a frame has come through: a hidden page draws nothing, so nothing may make the kernel send more.
  function giveBack(seq: number): void {
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

/** `new Blob([view])` copies exactly the view, also where the host cut it out of a larger buffer. */
function decodePicture(picture: Bytes, mime: string): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([picture], { type: mime }));
}

/** How a frame comes onto the screen of a page. */
export const SCREEN: Pick<FramePorts<ImageBitmap>, "decode" | "nextPaint"> = {
  decode: decodePicture,
  nextPaint: (then) => void requestAnimationFrame(then),
};

export function notShown({ step }: FrameFact, error: unknown): string {
  return `The picture of step ${step} could not be shown: ${String(error)}`;
}

/** Draws the saved picture that stands in until the first frame, where there is one that can be read. */
export async function usePoster(value: unknown, draw: (picture: ImageBitmap) => void): Promise<void> {
  const poster = asBytes(value);
  const picture = poster === null ? null : await decodePicture(poster, "image/jpeg").catch(() => null);
  if (picture === null) return;
  draw(picture);
  picture.close();
}
