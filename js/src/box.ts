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
  freeCanvases(box);
  const watch = new MutationObserver(() => freeCanvases(box)); // the host adds the canvases when they are ready
  watch.observe(box, { childList: true, subtree: true });
  signal.addEventListener("abort", () => watch.disconnect());
}

// ipycanvas gives its canvases the focus and then keeps every key, so that Tab never leaves them and F5 does nothing.
// Nothing on our canvases is done by a key: the focus passes over them.
function freeCanvases(box: HTMLElement): void {
  for (const canvas of box.querySelectorAll("canvas")) canvas.removeAttribute("tabindex");
}

export default widget;
