// The mask: one byte for each pixel of the full picture, row by row, 1 = may move. No mask (null): everything may move.

import type { Point, Size } from "./geometry";

export type Mask = Uint8Array<ArrayBuffer>;

/** A stroke: every pixel whose centre is within `radius` (image px) of the line between two places. */
export interface Stroke {
  readonly from: Point<"image">;
  readonly to: Point<"image">;
  readonly radius: number;
  readonly value: 0 | 1;
}

export function filledMask(size: Size, value: 0 | 1): Mask {
  return new Uint8Array(size.width * size.height).fill(value);
}

export function paint(mask: Mask, size: Size, stroke: Stroke): Mask {
  const { from, to, radius, value } = stroke;
  const painted = mask.slice();
  const [left, right] = span(from.x, to.x, radius, size.width);
  const [top, bottom] = span(from.y, to.y, radius, size.height);
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length2 = dx * dx + dy * dy;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const [px, py] = [x - from.x, y - from.y];
      const along = length2 === 0 ? 0 : Math.min(Math.max((px * dx + py * dy) / length2, 0), 1);
      const [ax, ay] = [px - along * dx, py - along * dy];
      if (ax * ax + ay * ay <= radius * radius) painted[y * size.width + x] = value;
    }
  }
  return painted;
}

function span(a: number, b: number, radius: number, length: number): readonly [number, number] {
  return [Math.max(0, Math.ceil(Math.min(a, b) - radius)), Math.min(length - 1, Math.floor(Math.max(a, b) + radius))];
}

/** Whether nothing may move. */
export function isEmpty(mask: Mask): boolean {
  return !mask.includes(1);
}

export function sameMask(a: Mask | null, b: Mask | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.length === b.length && a.every((value, i) => value === b[i]);
}

/** The mask in the kernel's bytes; null if they do not fit the picture. Any byte but 0 counts as 1. */
export function maskFromBytes(bytes: DataView | Uint8Array | null, size: Size): Mask | null {
  if (bytes === null || bytes.byteLength !== size.width * size.height) return null;
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint8Array.from(view, (byte) => (byte === 0 ? 0 : 1));
}

/** The bytes to send: a copy, which the editor does not share. */
export function maskToBytes(mask: Mask): ArrayBuffer {
  return mask.slice().buffer;
}
