// Turns pointer events on the overlay into actions of the editor.
//
// One finger draws, two fingers scroll and zoom the page (`touch-action: pinch-zoom` in widget.css). The wheel is not
// handled, so that the page scrolls also over the picture.

import { type EditorAction, endAt } from "./editor";
import { type Box, cssPoint, cssToImage, imagePerCss, isVisible, type Point } from "./geometry";
import { crossOf, endOf } from "./overlay";
import type { EditorState, EndRef } from "./state";

const SLOP = 4; // css px that the pointer must move before a press becomes a drag
const REACH = { mouse: 14, touch: 24 }; // css px around an end within which a press takes it

export interface PointerPorts {
  readonly overlay: SVGSVGElement;
  box(): Box;
  state(): EditorState;
  /** False while no kernel answers. */
  ready(): boolean;
  dispatch(action: EditorAction): void;
  /** Focuses this end once it has been drawn; null: the picture. */
  focus(ref: EndRef | null): void;
}

export function attachPointer(ports: PointerPorts, signal: AbortSignal): void {
  const { overlay } = ports;
  let active: number | null = null;

  overlay.addEventListener(
    "pointerdown",
    (event) => {
      if (!event.isPrimary || event.button !== 0 || active !== null || !ports.ready()) return;
      if (!press(ports, event)) return;
      active = event.pointerId;
      overlay.setPointerCapture(active);
    },
    { signal },
  );

  overlay.addEventListener(
    "pointermove",
    (event) => {
      if (isVisible(ports.box()) && (active === null || event.pointerId === active))
        move(ports, event, active !== null);
    },
    { signal },
  );
  overlay.addEventListener("pointerleave", () => hover(ports, null), { signal });

  overlay.addEventListener(
    "pointerup",
    (event) => {
      if (event.pointerId !== active) return;
      active = null;
      release(ports, event);
    },
    { signal },
  );

  const cancel = (event: PointerEvent): void => {
    if (event.pointerId !== active) return;
    active = null;
    ports.dispatch({ type: "cancel" });
  };
  overlay.addEventListener("pointercancel", cancel, { signal });
  overlay.addEventListener("lostpointercapture", cancel, { signal });
  overlay.addEventListener(
    "focusin",
    (event) => {
      const ref = endOf(event.target);
      if (ref !== null) ports.dispatch({ type: "select", index: ref.index });
    },
    { signal },
  );
}

function position(ports: PointerPorts, event: PointerEvent) {
  return cssToImage(cssPoint(event.clientX, event.clientY), ports.box(), ports.state().size);
}

function move(ports: PointerPorts, event: PointerEvent, down: boolean): void {
  const { gesture, tool } = ports.state();
  const at = position(ports, event);
  // Between the two clicks the arrow follows the pointer although it is up.
  if (down || (gesture?.kind === "new" && gesture.armed)) ports.dispatch({ type: "drag", at });
  if (tool !== "points") hover(ports, event.pointerType === "touch" && !down ? null : at);
}

function hover(ports: PointerPorts, at: Point<"image"> | null): void {
  if (at !== ports.state().hover) ports.dispatch({ type: "hover", at });
}

function press(ports: PointerPorts, event: PointerEvent): boolean {
  const box = ports.box();
  if (!isVisible(box)) return false;
  const state = ports.state();
  const at = position(ports, event);
  const scale = imagePerCss(box, state.size);
  const crossed = crossOf(event.target);
  if (crossed !== null) {
    ports.dispatch({ type: "delete", index: crossed });
    ports.focus(null);
    return false;
  }
  const hit = endAt(state, at, (event.pointerType === "mouse" ? REACH.mouse : REACH.touch) * scale);
  ports.dispatch({ type: "press", at, hit, slop: SLOP * scale });
  ports.focus(state.tool === "points" ? hit : null);
  return true;
}

function release(ports: PointerPorts, event: PointerEvent): void {
  if (isVisible(ports.box())) ports.dispatch({ type: "drag", at: position(ports, event) });
  const before = ports.state().points.length;
  ports.dispatch({ type: "release" });
  const after = ports.state().points.length;
  if (after > before) ports.focus({ index: after - 1, end: "handle" });
}
