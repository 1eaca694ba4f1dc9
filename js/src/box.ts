// The front end of a replay or an inspector: an element without room among the classic widgets of its box. It keeps the
// notebook's keys out of the box, and makes the box reachable for the pointer and the keyboard.

import type { AnyModel, AnyWidget } from "@anywidget/types";
import { html, outlast } from "./dom";
import { guardKeys } from "./key_guard";

interface Traits {
  /** What Python says where the box's cell ran again, in its last message; before, and else, it is empty. */
  _last_words: string;
}

const widget: AnyWidget<Traits> = {
  render({ model, el }) {
    const closing = new AbortController();
    // The host puts the element into its box after this function has ended.
    const find = (): void => {
      if (closing.signal.aborted) return;
      if (el.parentElement === null) requestAnimationFrame(find);
      else attach(el.parentElement, model, closing.signal);
    };
    find();
    return () => closing.abort();
  },
};

function attach(box: HTMLElement, model: AnyModel<Traits>, signal: AbortSignal): void {
  keepLast(box, model, signal);
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

// The box ends with its kernel's widgets. Where Python says why, a copy of its pictures and the words stay in its place.
function keepLast(box: HTMLElement, model: AnyModel<Traits>, signal: AbortSignal): void {
  const keep = (): void => {
    const words = model.get("_last_words");
    if (words === "") return;
    const pictures = [...box.querySelectorAll("canvas")].map(copy);
    const last = html("div", { class: "draggan-box-last" }, ...pictures, html("p", { role: "status" }, words));
    outlast(box, last);
  };
  model.on("change:_last_words", keep);
  signal.addEventListener("abort", () => model.off("change:_last_words", keep));
}

function copy(canvas: HTMLCanvasElement): HTMLElement {
  const { width } = canvas.getBoundingClientRect();
  return html("img", { src: canvas.toDataURL(), alt: "The last picture", style: `width: ${width}px` });
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
