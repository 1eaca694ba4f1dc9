import { describe, expect, test } from "vitest";
import { imagePoint as p } from "../src/geometry";
import { filledMask, isEmpty, maskFromBytes, maskToBytes, paint, sameMask } from "../src/mask";

const SIZE = { width: 9, height: 5 };
const none = filledMask(SIZE, 0);

function rows(mask: Uint8Array): string[] {
  return Array.from({ length: SIZE.height }, (_, y) => mask.slice(y * 9, y * 9 + 9).join(""));
}

describe("a stroke", () => {
  test("is round at its ends and straight between them", () => {
    const mask = paint(none, SIZE, { from: p(2, 2), to: p(6, 2), radius: 1.5, value: 1 });
    expect(rows(mask)).toEqual(["000000000", "011111110", "011111110", "011111110", "000000000"]);
  });

  test("of no length is a disc; past the edge it is cut off", () => {
    const disc = paint(none, SIZE, { from: p(4, 2), to: p(4, 2), radius: 1, value: 1 });
    expect(rows(disc)).toEqual(["000000000", "000010000", "000111000", "000010000", "000000000"]);
    const corner = paint(none, SIZE, { from: p(-1, -1), to: p(-1, 0), radius: 1.5, value: 1 });
    expect(rows(corner)[0]).toBe("100000000");
    expect(isEmpty(paint(none, SIZE, { from: p(40, 40), to: p(50, 40), radius: 3, value: 1 }))).toBe(true);
  });

  test("takes every pixel whose centre is near enough, whatever its direction", () => {
    const stroke = { from: p(1, 0.5), to: p(6.5, 3.5), radius: 1.3, value: 1 } as const;
    const mask = paint(none, SIZE, stroke);
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 9; x++) {
        const distances = Array.from({ length: 2001 }, (_, i) =>
          Math.hypot(x - 1 - (5.5 * i) / 2000, y - 0.5 - (3 * i) / 2000),
        );
        expect(mask[y * 9 + x], `${x}, ${y}`).toBe(Math.min(...distances) <= 1.3 ? 1 : 0);
      }
    }
  });

  test("erases too, and never changes the mask it is given", () => {
    const all = Object.freeze(filledMask(SIZE, 1).slice().buffer);
    const before = new Uint8Array(all);
    const mask = paint(before, SIZE, { from: p(4, 2), to: p(4, 2), radius: 9, value: 0 });
    expect([isEmpty(mask), isEmpty(before)]).toEqual([true, false]);
  });
});

describe("bytes", () => {
  test("are read from Jupyter's DataView, part of a larger buffer, and from Colab's Uint8Array", () => {
    const large = new Uint8Array(100).fill(255);
    large[10] = 0;
    const view = new DataView(large.buffer, 10, 45);
    const mask = maskFromBytes(view, SIZE);
    expect(mask?.[0]).toBe(0);
    expect(mask?.slice(1)).toEqual(new Uint8Array(44).fill(1));
    expect(maskFromBytes(filledMask(SIZE, 1), SIZE)).toEqual(filledMask(SIZE, 1));
  });

  test("of another size are not a mask", () => {
    for (const bytes of [null, new Uint8Array(0), new Uint8Array(44)]) expect(maskFromBytes(bytes, SIZE)).toBeNull();
  });

  test("sent are a copy, and come back as the same mask", () => {
    const mask = paint(none, SIZE, { from: p(4, 2), to: p(8, 2), radius: 2, value: 1 });
    const sent = new Uint8Array(maskToBytes(mask));
    expect(sameMask(maskFromBytes(sent, SIZE), mask)).toBe(true);
    sent.fill(0);
    expect(isEmpty(mask)).toBe(false);
    expect([sameMask(mask, none), sameMask(mask, null), sameMask(null, null)]).toEqual([false, false, true]);
  });
});
