// Points, their coordinate spaces, and the one conversion between the two spaces.
//
// css px count from the top left corner of the viewport; image px have pixel centres at integers, so the picture
// extends from -0.5 to width - 0.5. Both are (x, y).

declare const space: unique symbol;

export type Space = "css" | "image";

/** A position that the compiler refuses where a position of the other space is expected. */
export interface Point<S extends Space> {
  readonly x: number;
  readonly y: number;
  readonly [space]: S;
}

/** Width and height of the full picture in image px. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Where the picture is on the screen, in css px (a DOMRect fits). */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export function cssPoint(x: number, y: number): Point<"css"> {
  return { x, y } as Point<"css">;
}

export function imagePoint(x: number, y: number): Point<"image"> {
  return { x, y } as Point<"image">;
}

// To a thousandth of a pixel: far below what a hand can do, and it removes the float noise.
function tidy(value: number): number {
  return Math.round(value * 1000) / 1000 + 0;
}

// A browser lays out in 64ths of a css px: a picture that should be 300.4 css px wide is 300.390625 wide, and the
// centre of a pixel comes out up to 0.02 px beside its integer. A position so near to a pixel's centre is taken as the
// centre.
const LAYOUT_ERROR = 0.02; // image px

function snapped(value: number): number {
  const centre = Math.round(value);
  return Math.abs(value - centre) <= LAYOUT_ERROR ? centre + 0 : tidy(value);
}

/** A box of no size (a hidden tab, a collapsed cell) has no image coordinates. */
export function isVisible(box: Box): boolean {
  return box.width > 0 && box.height > 0;
}

export function cssToImage(at: Point<"css">, box: Box, size: Size): Point<"image"> {
  return imagePoint(
    snapped(((at.x - box.left) * size.width) / box.width - 0.5),
    snapped(((at.y - box.top) * size.height) / box.height - 0.5),
  );
}

export function imageToCss(at: Point<"image">, box: Box, size: Size): Point<"css"> {
  return cssPoint(
    box.left + ((at.x + 0.5) * box.width) / size.width,
    box.top + ((at.y + 0.5) * box.height) / size.height,
  );
}

/** How many image px one css px covers. */
export function imagePerCss(box: Box, size: Size): number {
  return size.width / box.width;
}

export function distance<S extends Space>(a: Point<S>, b: Point<S>): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** The nearest point whose pixel lies inside the picture. */
export function clampToImage(at: Point<"image">, size: Size): Point<"image"> {
  return imagePoint(clamp(at.x, size.width - 1), clamp(at.y, size.height - 1));
}

function clamp(value: number, last: number): number {
  return Math.min(Math.max(value, 0), last);
}

export function movedBy(at: Point<"image">, dx: number, dy: number): Point<"image"> {
  return imagePoint(tidy(at.x + dx), tidy(at.y + dy));
}

export function samePoint(a: Point<"image">, b: Point<"image"> | undefined): boolean {
  return a.x === b?.x && a.y === b.y;
}
