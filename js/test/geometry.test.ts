import { describe, expect, test } from "vitest";
import { type Box, clampToImage, cssPoint, cssToImage, imagePoint, imageToCss, isVisible } from "../src/geometry";

const SIZE = { width: 512, height: 384 };

function boxOf(width: number, left = 0, top = 0): Box {
  return { left, top, width, height: (width * SIZE.height) / SIZE.width };
}

/** The same pseudo-random numbers at every run. */
function* numbers(seed: number, count: number): Generator<number> {
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    yield state / 2 ** 32;
  }
}

describe("css px to image px", () => {
  test.each([64, 200, 256, 333.25, 384, 511, 512, 640.5, 777, 1024, 1536])(
    "a click in the middle of pixel (40, 60) gives exactly (40, 60) on a picture %d css px wide",
    (width) => {
      for (const [left, top] of [
        [0, 0],
        [13, 7],
        [123.456, 0.7],
        [-20.5, 4000.125],
      ] as const) {
        const box = boxOf(width, left, top);
        const middle = cssPoint(left + (40.5 * width) / SIZE.width, top + (60.5 * width) / SIZE.width);
        expect(cssToImage(middle, box, SIZE)).toEqual(imagePoint(40, 60));
      }
    },
  );

  test("every pixel's middle comes back as that pixel, at any width and place", () => {
    const random = [...numbers(7, 2000)];
    for (let i = 0; i + 4 < random.length; i += 5) {
      const [a = 0, b = 0, c = 0, d = 0, e = 0] = random.slice(i, i + 5);
      const pixel = imagePoint(Math.floor(a * SIZE.width), Math.floor(b * SIZE.height));
      const box = boxOf(80 + c * 2000, (d - 0.5) * 3000, (e - 0.5) * 3000);
      expect(cssToImage(imageToCss(pixel, box, SIZE), box, SIZE)).toEqual(pixel);
    }
  });

  test("the left top corner of the picture is (-0.5, -0.5) and the right bottom one (width - 0.5, height - 0.5)", () => {
    const box = boxOf(1024, 10, 20);
    expect(cssToImage(cssPoint(10, 20), box, SIZE)).toEqual(imagePoint(-0.5, -0.5));
    expect(cssToImage(cssPoint(1034, 788), box, SIZE)).toEqual(imagePoint(511.5, 383.5));
  });

  test("no coordinate is minus zero", () => {
    const at = cssToImage(cssPoint(0.9999, 0.9999), boxOf(1024), SIZE);
    expect(Object.is(at.x, -0) || Object.is(at.y, -0)).toBe(false);
  });
});

test("a point outside is brought to the nearest pixel inside", () => {
  expect(clampToImage(imagePoint(-0.5, 400), SIZE)).toEqual(imagePoint(0, 383));
  expect(clampToImage(imagePoint(511.4, 10.25), SIZE)).toEqual(imagePoint(511, 10.25));
});

test("a box of no size is not visible", () => {
  expect(isVisible(boxOf(0))).toBe(false);
  expect(isVisible(boxOf(1))).toBe(true);
});

test("the 64ths of a css px in which a browser lays out do not move a click off the middle of its pixel", () => {
  const said = { left: 13.28125, top: 7, width: 300.390625, height: 225.296875 };
  const middle = cssPoint(13.28125 + (500.5 * 300.4) / SIZE.width, 7 + (60.5 * 300.4) / SIZE.width);
  expect(cssToImage(middle, said, SIZE)).toEqual(imagePoint(500, 60));
  const beside = cssPoint(13.28125 + (500.6 * 300.4) / SIZE.width, 7 + (60.5 * 300.4) / SIZE.width);
  expect(cssToImage(beside, said, SIZE).x).toBeCloseTo(500.1, 1);
});
