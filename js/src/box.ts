// The front end of a replay or an inspector: an element without room among the classic widgets of its box. It keeps the
// notebook's keys out of the box, and makes the box reachable for the pointer and the keyboard.

import type { AnyWidget } from "@anywidget/types";
import { guardKeys } from "./key_guard";

const widget: AnyWidget = {
  render({ el }) {
    const closing = new AbortController();
    // The host puts the element into its box after this function has ended.
    const find = (): void => {
      if (closing.signal.aborted) return;
      if (el.parentElement === null) requestAnimationFrame(find);
      else attach(el.parentElement, closing.signal);
    };
    find();
    return () => closing.abort();
  },
};

function attach(box: HTMLElement, signal: AbortSignal): void {
  box.classList.add("draggan-box");
  guardKeys(box, signal);
  const mend = (): void => {
    freeCanvases(box);
    nameControls(box);
  };
  mend();
  const watch = new MutationObserver(mend); // the host adds the widgets when they are ready
  watch.observe(box, { childList: true, subtree: true });
  signal.addEventListener("abort", () => watch.disconnect());
}

// ipycanvas gives its canvases the focus and then keeps every key, so that Tab never leaves them and F5 does nothing.
// Nothing on our canvases is done by a key: the focus passes over them.
function freeCanvases(box: HTMLElement): void {
  for (const canvas of box.querySelectorAll("canvas")) canvas.removeAttribute("tabindex");
}

// What a screen reader says of the controls beside which no words stand.
const NAMES: readonly (readonly [string, string])[] = [
  ["button:has(> .fa-play)", "Play or pause"],
  ["button:has(> .fa-pause)", "Pause"],
  ["button:has(> .fa-stop)", "Back to the start"],
  ["button:has(> .fa-retweet)", "Play in a loop"],
  [".noUi-handle, .ui-slider-handle", "Step"],
  ["select", "Pace"],
];

function nameControls(box: HTMLElement): void {
  for (const [selector, name] of NAMES)
    for (const control of box.querySelectorAll(`:is(${selector}):not([aria-label])`)) {
      const words = control.closest(".widget-inline-hbox")?.querySelector(".widget-label")?.textContent;
      control.setAttribute("aria-label", words || name);
    }
}

export default widget;
