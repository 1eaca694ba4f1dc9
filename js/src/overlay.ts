// The points over the picture: SVG in image px, so that they are on the right pixel at any zoom; their symbols keep
// their size in css px. Elements are kept from one drawing to the next, so that the focused end stays focused.

import { setAttribute, setText, svg } from "./dom";
import { distance, type Point, type Size } from "./geometry";
import type { EditorState, End, EndRef } from "./state";

// The colours of Okabe and Ito, which colour-blind people can tell apart; each with the text colour that reads best on
// it.
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
const BADGE = 7; // css px, radius of the cross and of the lock
const REACH = 14; // css px, radius within which an end is hovered
const CROSS_SIDE = 24; // css px, side of the square in which the cross is pressed
const AWAY = 27; // css px, distance from the handle to the cross

export interface Overlay {
  readonly element: SVGSVGElement;
  resize(size: Size): void;
  /** `scale`: image px per css px. */
  draw(state: EditorState, scale: number): void;
  /** Focuses an end; null: the picture. */
  focus(ref: EndRef | null): void;
}

interface PointElements {
  readonly group: SVGGElement;
  readonly arrow: SVGGElement;
  readonly strokes: readonly SVGPathElement[];
  readonly ring: SVGGElement;
  readonly handle: SVGGElement;
  readonly target: SVGGElement;
  readonly trail: SVGGElement;
  readonly cross: SVGGElement;
}

interface DrawnPoint {
  readonly handle: Point<"image">;
  readonly target: Point<"image">;
  /** Where the handle was when the user set it. */
  readonly origin: Point<"image">;
  readonly locked: boolean;
}

export function createOverlay(size: Size): Overlay {
  const element = svg("svg", { class: "draggan-overlay", role: "group", "aria-label": "Points on the picture" });
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("tabindex", "-1"); // takes the keys after a click
  const brush = svg("g", { class: "draggan-brush" }, svg("circle"), svg("circle"));
  element.append(brush);
  const drawn: PointElements[] = [];
  const resize = (to: Size): void => setAttribute(element, "viewBox", `-0.5 -0.5 ${to.width} ${to.height}`);
  resize(size);
  return {
    element,
    resize,
    draw(state, scale) {
      const points = drawnPoints(state);
      while (drawn.length > points.length) removeLast(element, drawn);
      const crossed = state.gesture === null && state.tool === "points";
      points.forEach((drawnPoint, index) => {
        const point = drawn[index] ?? addPoint(element, drawn, index);
        place(point, drawnPoint, index, scale);
        setAttribute(point.group, "data-selected", String(state.selected === index));
        setAttribute(point.group, "data-draft", String(index >= state.points.length));
        setAttribute(point.group, "data-locked", String(drawnPoint.locked));
        setAttribute(point.cross, "data-shown", String(crossed && state.selected === index));
      });
      drawBrush(brush, state, scale);
    },
    focus(ref) {
      if (ref === null) element.focus({ preventScroll: true });
      else drawn[ref.index]?.[ref.end].focus({ preventScroll: true });
    },
  };
}

/** The end that an element of the overlay belongs to; null if to none. */
export function endOf(element: EventTarget | null): EndRef | null {
  if (!(element instanceof Element)) return null;
  const end = element.closest("[data-end]")?.getAttribute("data-end");
  const index = Number(element.closest("[data-index]")?.getAttribute("data-index") ?? Number.NaN);
  return (end === "handle" || end === "target") && Number.isInteger(index) ? { index, end } : null;
}

/** The index of the point whose cross an element belongs to; null if to none. */
export function crossOf(element: EventTarget | null): number | null {
  if (!(element instanceof Element) || element.closest(".draggan-cross") === null) return null;
  return Number(element.closest("[data-index]")?.getAttribute("data-index"));
}

/** The points of the edit, and the one that is being drawn. */
function drawnPoints(state: EditorState): DrawnPoint[] {
  const points = state.points.map((p, i) => ({
    handle: state.handles[i] ?? p.handle,
    target: p.target,
    origin: p.handle,
    locked: p.locked,
  }));
  const draft = state.gesture;
  if (draft?.kind === "new" && (draft.moved || draft.armed))
    points.push({ handle: draft.from, target: draft.to, origin: draft.from, locked: false });
  return points;
}

function addPoint(parent: SVGSVGElement, drawn: PointElements[], index: number): PointElements {
  const strokes = ["outline", "casing", "shaft"].map((layer) => svg("path", { class: `draggan-${layer}` }));
  const arrow = svg("g", { class: "draggan-arrow" }, ...strokes);
  const ring = svg("g", { class: "draggan-ring" }, ...circles(["rim", "mark", "line"], RING));
  const handle = endGroup("handle", DOT);
  const target = endGroup("target", RING);
  handle.append(...circles(["rim", "mark"], DOT), svg("text", { class: "draggan-number" }, String(index + 1)));
  const trail = svg("g", { class: "draggan-trail" }, svg("path"), svg("path"), svg("circle", { r: "3.5" }));
  const cross = badge("cross", "M-2.6 -2.6L2.6 2.6M2.6 -2.6L-2.6 2.6");
  const [corner, side] = [String(-CROSS_SIDE / 2), String(CROSS_SIDE)];
  cross.prepend(svg("rect", { x: corner, y: corner, width: side, height: side }));
  cross.append(svg("title", {}, "Delete the point"));
  target.append(badge("lock", "M-3 -0.4h6v4h-6ZM-1.9 -0.4v-1.6a1.9 1.9 0 0 1 3.8 0v1.6"));
  // Tab goes from the handle to its target, so the target stands after it; the target's ring is drawn before it.
  const parts = [trail, arrow, ring, handle, target, cross];
  const group = svg("g", { class: "draggan-point", "data-index": String(index) }, ...parts);
  const [colour, ink] = COLOURS[index % COLOURS.length] ?? ["#e69f00", "#000"];
  group.style.setProperty("--draggan-colour", colour);
  group.style.setProperty("--draggan-ink", ink);
  parent.append(group);
  const point = { group, arrow, strokes, ring, handle, target, trail, cross };
  drawn.push(point);
  return point;
}

function badge(name: string, d: string): SVGGElement {
  const circle = svg("circle", { r: String(BADGE) });
  return svg("g", { class: `draggan-badge draggan-${name}` }, circle, svg("path", { d }));
}

// The overlay takes the focus from a removed point, so that the widget keeps the keys.
function removeLast(parent: SVGSVGElement, drawn: PointElements[]): void {
  const group = drawn.pop()?.group;
  if (group?.matches(":focus-within")) parent.focus({ preventScroll: true });
  group?.remove();
}

function circles(names: readonly string[], radius: number): SVGCircleElement[] {
  return names.map((name) => svg("circle", { class: `draggan-${name}`, r: String(radius) }));
}

/** What takes the focus and the pointer at an end. */
function endGroup(end: End, radius: number): SVGGElement {
  const marks = [...circles(["reach"], REACH), ...circles(["halo"], radius + 5)];
  const attributes = { class: `draggan-${end}`, "data-end": end, tabindex: "0", role: "button" };
  return svg("g", { ...attributes, "aria-roledescription": "movable point" }, ...marks);
}

function place(point: PointElements, drawnPoint: DrawnPoint, index: number, scale: number): void {
  for (const end of ["handle", "target"] as const) {
    const at = drawnPoint[end];
    setAttribute(point[end], "transform", `translate(${at.x} ${at.y}) scale(${scale})`);
    const name = end === "handle" ? "Handle" : "Target";
    const words = `${name} ${index + 1} at ${short(at.x)}, ${short(at.y)}`;
    setAttribute(point[end], "aria-label", drawnPoint.locked ? `${words}, locked` : words);
  }
  setAttribute(point.ring, "transform", `translate(${drawnPoint.target.x} ${drawnPoint.target.y}) scale(${scale})`);
  const number = point.handle.lastElementChild;
  if (number !== null) setText(number, String(index + 1));
  placeArrow(point, drawnPoint, scale);
  placeTrail(point, drawnPoint, scale);
}

// The arrow is drawn along the x axis in css px, then rotated and moved into place.
function placeArrow(point: PointElements, { handle, target }: DrawnPoint, scale: number): void {
  const length = distance(handle, target) / scale;
  const angle = (Math.atan2(target.y - handle.y, target.x - handle.x) * 180) / Math.PI;
  setAttribute(point.arrow, "transform", `translate(${handle.x} ${handle.y}) scale(${scale}) rotate(${angle})`);
  const path = arrowPath(length);
  for (const stroke of point.strokes) setAttribute(stroke, "d", path);
}

// The trail leads from where the handle was set to where the drag has moved it; the cross is placed clear of the arrow.
function placeTrail({ trail, cross }: PointElements, { handle, target, origin }: DrawnPoint, scale: number): void {
  const far = distance(origin, handle) / scale;
  setAttribute(trail, "data-shown", String(far > 2));
  setAttribute(trail, "transform", `translate(${origin.x} ${origin.y}) scale(${scale})`);
  const line = `M0 0L${(handle.x - origin.x) / scale} ${(handle.y - origin.y) / scale}`;
  for (const path of trail.querySelectorAll("path")) setAttribute(path, "d", line);
  const along = Math.atan2(target.y - handle.y, target.x - handle.x);
  const angle = distance(handle, target) / scale < DOT ? -Math.PI / 4 : along + (along > 0 ? -1 : 1) * 2.2;
  const [x, y] = [handle.x + AWAY * scale * Math.cos(angle), handle.y + AWAY * scale * Math.sin(angle)];
  setAttribute(cross, "transform", `translate(${x} ${y}) scale(${scale})`);
}

function drawBrush(brush: SVGGElement, state: EditorState, scale: number): void {
  const at = state.tool === "points" ? null : state.hover;
  setAttribute(brush, "data-shown", String(at !== null));
  if (at === null) return;
  setAttribute(brush, "transform", `translate(${at.x} ${at.y}) scale(${scale})`);
  for (const circle of brush.children) setAttribute(circle, "r", String(state.brush / 2 / scale));
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
