// The stage: one canvas each for the picture, for a map over it and for the veil over what stays fixed. Each canvas has
// as many pixels as the full picture.

import { html } from "./dom";
import type { Size } from "./geometry";
import type { Mask } from "./mask";

export interface Stage {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  resize(size: Size): void;
  /** Where the picture is on the page, in css px. */
  box(): DOMRect;
  /** Calls back when the stage has changed its size on the screen. */
  watch(then: () => unknown, signal: AbortSignal): void;
  draw(picture: ImageBitmap): void;
  /** Shows a map over the picture; null removes the map. */
  showMap(map: ImageBitmap | null, opacity: number): void;
  /** Darkens what the mask holds fixed; null removes the veil. */
  veil(mask: Mask | null): void;
}

export function createStage(size: Size): Stage {
  const canvas = html("canvas", { class: "draggan-picture", role: "img", "aria-label": "The generated picture" });
  const veil = html("canvas", { class: "draggan-veil", "aria-hidden": "true" });
  const over = html("canvas", { class: "draggan-map", "aria-hidden": "true", hidden: "" });
  const element = html("div", { class: "draggan-stage" }, canvas, over, veil);
  let shown: Mask | null = null;
  const resize = (to: Size): void => {
    element.style.setProperty("--draggan-width", String(to.width));
    element.style.setProperty("--draggan-height", String(to.height));
    if (!setSize(canvas, to)) return;
    over.hidden = true;
    veil.width = 0; // a mask of another size is meaningless
    shown = null;
  };
  resize(size);
  return {
    element,
    canvas,
    resize,
    box: () => canvas.getBoundingClientRect(),
    watch(then, signal) {
      const observer = new ResizeObserver(() => void then());
      observer.observe(element);
      signal.addEventListener("abort", () => observer.disconnect());
    },
    draw: (picture) => paint(canvas, picture),
    showMap(map, opacity) {
      over.hidden = map === null;
      if (map === null) return;
      over.style.opacity = String(opacity);
      setSize(over, canvas); // only now, so that it needs no memory before the first map
      paint(over, map);
    },
    veil(mask) {
      if (mask === shown) return;
      shown = mask;
      setSize(veil, canvas); // only now, so that it needs no memory before the first mask
      drawVeil(veil, mask);
    },
  };
}

/** Gives a canvas its size; false if it already had it: setting it again would clear the canvas. */
function setSize(canvas: HTMLCanvasElement, size: Size): boolean {
  if (canvas.width === size.width && canvas.height === size.height) return false;
  canvas.width = size.width;
  canvas.height = size.height;
  return true;
}

// A preview or a map may be smaller than the picture: it is scaled up smoothly, so that the canvas keeps its size.
function paint(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser gives no 2D canvas");
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
}

// The veil is dark. Its soft diagonal stripes show on a dark picture, and a light line borders the movable part.
function drawVeil(canvas: HTMLCanvasElement, mask: Mask | null): void {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser gives no 2D canvas");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (mask === null) return;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const stripes = hatch(Math.max(6, Math.round(width / 48)));
  const edge = rgba(255, 0.75);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (mask[i] === 1) continue;
      const beside = (x > 0 && mask[i - 1] === 1) || (x < width - 1 && mask[i + 1] === 1);
      const edged = beside || mask[i - width] === 1 || mask[i + width] === 1;
      pixels[i] = edged ? edge : (stripes[(x + y) % stripes.length] ?? 0);
    }
  }
  context.putImageData(image, 0, 0);
}

function hatch(period: number): Uint32Array {
  const light = (i: number) => Math.max(0, Math.cos((2 * Math.PI * i) / period)) ** 2;
  return Uint32Array.from({ length: period }, (_, i) => rgba(12 + 108 * light(i), 0.45));
}

function rgba(grey: number, alpha: number): number {
  const bytes = new Uint8Array([grey, grey, grey, Math.round(alpha * 255)]);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}
