// Pointer and keyboard on the overlay -> actions of the editor.
//
// One finger draws, two fingers scroll and zoom the page (`touch-action: pinch-zoom` in widget.css); the wheel is
// never touched, so the page scrolls over the picture.

import { type EditorAction, type EditorState, type End, type EndRef, endAt } from "./editor";
import { type Box, cssPoint, cssToImage, imagePerCss, isVisible } from "./geometry";
import { endOf } from "./overlay";

const SLOP = 4; // css px a press must move to be a drag
const REACH = { mouse: 14, touch: 24 }; // css px around an end that grab it

export interface PointerPorts {
  readonly overlay: SVGSVGElement;
  box(): Box;
  state(): EditorState;
  /** False while there is no kernel to hear the edit. */
  ready(): boolean;
  dispatch(action: EditorAction): void;
  /** Focus this end once it has been drawn. */
  focus(ref: EndRef): void;
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
      if (event.pointerId === active && isVisible(ports.box()))
        ports.dispatch({ type: "drag", at: position(ports, event) });
    },
    { signal },
  );

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
  overlay.addEventListener("keydown", (event) => key(ports, event), { signal });
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

function press(ports: PointerPorts, event: PointerEvent): boolean {
  const box = ports.box();
  if (!isVisible(box)) return false;
  const state = ports.state();
  const at = position(ports, event);
  const scale = imagePerCss(box, state.size);
  const hit = endAt(state, at, (event.pointerType === "mouse" ? REACH.mouse : REACH.touch) * scale);
  ports.dispatch({ type: "press", at, hit, slop: SLOP * scale });
  if (hit !== null) ports.focus(hit);
  return true;
}

function release(ports: PointerPorts, event: PointerEvent): void {
  if (isVisible(ports.box())) ports.dispatch({ type: "drag", at: position(ports, event) });
  const before = ports.state().points.length;
  ports.dispatch({ type: "release" });
  const after = ports.state().points.length;
  if (after > before) ports.focus({ index: after - 1, end: "handle" });
}

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

// Keys in use go no further: a notebook would cut the cell on Delete or walk to the next one on an arrow.
function key(ports: PointerPorts, event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const ref = endOf(event.target);
  const used = event.key === "Escape" ? leave(ports) : ref !== null && ports.ready() && endKey(ports, event, ref);
  if (!used) return;
  event.preventDefault();
  event.stopPropagation();
}

function leave(ports: PointerPorts): boolean {
  ports.dispatch(ports.state().gesture === null ? { type: "select", index: null } : { type: "cancel" });
  return true;
}

function endKey(ports: PointerPorts, event: KeyboardEvent, ref: EndRef): boolean {
  const arrow = ARROWS[event.key];
  if (arrow !== undefined) {
    const reach = event.shiftKey ? 10 : 1;
    ports.dispatch({ type: "nudge", ref, dx: arrow[0] * reach, dy: arrow[1] * reach });
    return true;
  }
  if (event.key === "Delete" || event.key === "Backspace") {
    deletePoint(ports, ref.index, ref.end);
    return true;
  }
  return event.key === "Enter" || event.key === " ";
}

/** Deletes a point and moves the focus to its neighbour, so that the keyboard stays on the picture. */
export function deletePoint(ports: Pick<PointerPorts, "state" | "dispatch" | "focus">, index: number, end: End): void {
  ports.dispatch({ type: "delete", index });
  const left = ports.state().points.length;
  if (left > 0) ports.focus({ index: Math.min(index, left - 1), end });
}
