// The picture: a canvas as large as the full picture, and the stage that gives it its place in the cell.

import { html } from "./dom";
import type { Size } from "./geometry";

export interface Stage {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  resize(size: Size): void;
  draw(picture: ImageBitmap): void;
}

export function createStage(size: Size): Stage {
  const canvas = html("canvas", { class: "draggan-picture", role: "img", "aria-label": "The generated picture" });
  const element = html("div", { class: "draggan-stage" }, canvas);
  const resize = (to: Size): void => fitTo(element, canvas, to);
  resize(size);
  return { element, canvas, resize, draw: (picture) => paint(canvas, picture) };
}

function fitTo(element: HTMLElement, canvas: HTMLCanvasElement, size: Size): void {
  element.style.setProperty("--draggan-width", String(size.width));
  element.style.setProperty("--draggan-height", String(size.height));
  if (canvas.width === size.width && canvas.height === size.height) return;
  canvas.width = size.width;
  canvas.height = size.height;
}

// A preview may be smaller than the picture: it is scaled up smoothly, so that the canvas never changes its size.
function paint(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser gives no 2D canvas");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
}
