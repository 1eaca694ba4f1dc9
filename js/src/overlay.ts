// The points on top of the picture: SVG in image px, so they sit on the pixel at any zoom; their marks keep their
// size in css px. Elements are kept from one drawing to the next, so that the focused end stays focused.

import { setAttribute, setText, svg } from "./dom";
import type { EditorState, End, EndRef } from "./editor";
import { distance, type Point, type Size } from "./geometry";

// Okabe and Ito's colours, told apart also by the colour-blind; each with the ink that reads best on it.
const COLOURS: readonly (readonly [string, string])[] = [
  ["#e69f00", "#000"],
  ["#56b4e9", "#000"],
  ["#009e73", "#fff"],
  ["#f0e442", "#000"],
  ["#0072b2", "#fff"],
  ["#d55e00", "#fff"],
  ["#cc79a7", "#000"],
];

const DOT = 9; // css px, radius of a handle
const RING = 11; // css px, radius of a target
const HEAD = 9; // css px, length of an arrow head

export interface Overlay {
  readonly element: SVGSVGElement;
  resize(size: Size): void;
  /** `scale`: image px per css px. */
  draw(state: EditorState, scale: number): void;
  focus(ref: EndRef): void;
}

interface PointElements {
  readonly group: SVGGElement;
  readonly arrow: SVGGElement;
  readonly strokes: readonly SVGPathElement[];
  readonly handle: SVGGElement;
  readonly target: SVGGElement;
}

interface Mark {
  readonly handle: Point<"image">;
  readonly target: Point<"image">;
}

export function createOverlay(size: Size): Overlay {
  const element = svg("svg", { class: "draggan-overlay", role: "group", "aria-label": "Points on the picture" });
  element.setAttribute("preserveAspectRatio", "none");
  const drawn: PointElements[] = [];
  const resize = (to: Size): void => setAttribute(element, "viewBox", `-0.5 -0.5 ${to.width} ${to.height}`);
  resize(size);
  return {
    element,
    resize,
    draw(state, scale) {
      const marks = marksOf(state);
      while (drawn.length > marks.length) drawn.pop()?.group.remove();
      marks.forEach((mark, index) => {
        const point = drawn[index] ?? addPoint(element, drawn, index);
        place(point, mark, index, scale);
        setAttribute(point.group, "data-selected", String(state.selected === index));
        setAttribute(point.group, "data-draft", String(index >= state.points.length));
      });
    },
    focus(ref) {
      drawn[ref.index]?.[ref.end].focus({ preventScroll: true });
    },
  };
}

/** Which end of which point an element of the overlay belongs to. */
export function endOf(element: EventTarget | null): EndRef | null {
  if (!(element instanceof Element)) return null;
  const end = element.closest("[data-end]")?.getAttribute("data-end");
  const index = Number(element.closest("[data-index]")?.getAttribute("data-index") ?? Number.NaN);
  return (end === "handle" || end === "target") && Number.isInteger(index) ? { index, end } : null;
}

function marksOf(state: EditorState): Mark[] {
  const marks = state.points.map((p, i) => ({ handle: state.handles[i] ?? p.handle, target: p.target }));
  const draft = state.gesture;
  if (draft?.kind === "new" && draft.moved) marks.push({ handle: draft.from, target: draft.to });
  return marks;
}

function addPoint(parent: SVGSVGElement, drawn: PointElements[], index: number): PointElements {
  const strokes = ["outline", "casing", "shaft"].map((layer) => svg("path", { class: `draggan-${layer}` }));
  const arrow = svg("g", { class: "draggan-arrow" }, ...strokes);
  const target = endGroup("target", RING);
  const handle = endGroup("handle", DOT);
  handle.append(svg("text", { class: "draggan-number" }, String(index + 1)));
  const group = svg("g", { class: "draggan-point", "data-index": String(index) }, arrow, target, handle);
  const [colour, ink] = COLOURS[index % COLOURS.length] ?? ["#e69f00", "#000"];
  group.style.setProperty("--draggan-colour", colour);
  group.style.setProperty("--draggan-ink", ink);
  parent.append(group);
  const point = { group, arrow, strokes, handle, target };
  drawn.push(point);
  return point;
}

function endGroup(end: End, radius: number): SVGGElement {
  const circle = (name: string, r: number) => svg("circle", { class: `draggan-${name}`, r: String(r) });
  const marks = [circle("reach", 14), circle("halo", radius + 5), circle("rim", radius), circle("mark", radius)];
  if (end === "target") marks.push(circle("ring", radius));
  const attributes = { class: `draggan-${end}`, "data-end": end, tabindex: "0", role: "button" };
  return svg("g", { ...attributes, "aria-roledescription": "movable point" }, ...marks);
}

function place(point: PointElements, mark: Mark, index: number, scale: number): void {
  for (const end of ["handle", "target"] as const) {
    const at = mark[end];
    setAttribute(point[end], "transform", `translate(${at.x} ${at.y}) scale(${scale})`);
    const name = end === "handle" ? "Handle" : "Target";
    setAttribute(point[end], "aria-label", `${name} ${index + 1} at ${short(at.x)}, ${short(at.y)}`);
  }
  const number = point.handle.lastElementChild;
  if (number !== null) setText(number, String(index + 1));
  placeArrow(point, mark, scale);
}

// The arrow is drawn along the x axis in css px, then turned and put in place.
function placeArrow(point: PointElements, { handle, target }: Mark, scale: number): void {
  const length = distance(handle, target) / scale;
  const angle = (Math.atan2(target.y - handle.y, target.x - handle.x) * 180) / Math.PI;
  setAttribute(point.arrow, "transform", `translate(${handle.x} ${handle.y}) scale(${scale}) rotate(${angle})`);
  const path = arrowPath(length);
  for (const stroke of point.strokes) setAttribute(stroke, "d", path);
}

function arrowPath(length: number): string {
  const tip = length - RING - 3;
  if (tip <= DOT + 4) return "";
  const back = Math.max(tip - HEAD, DOT);
  return `M0 0H${tip}M${back} ${-HEAD * 0.6}L${tip} 0L${back} ${HEAD * 0.6}`;
}

function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}
