// The guidance on the picture: a ghost arrow that shows how a point is drawn, until the first point of a notebook.

import { html, setAttribute, svg } from "./dom";

export interface Guide {
  readonly element: HTMLElement;
  /** `wanted`: a point could be drawn now; `drawn`: there is one, so that the guidance has done its work. */
  draw(wanted: boolean, drawn: boolean): void;
}

export function createGuide(): Guide {
  const path = "M10 0H118M106 -7L118 0L106 7";
  const strokes = ["outline", "casing", "shaft"].map((layer) => svg("path", { class: `draggan-${layer}`, d: path }));
  const finger = svg("circle", { class: "draggan-finger", r: "9" });
  const arrow = svg("svg", { viewBox: "-14 -16 164 32" }, svg("g", { class: "draggan-arrow" }, ...strokes));
  arrow.append(
    svg("circle", { class: "draggan-end", r: "9" }),
    svg("circle", { class: "draggan-end", cx: "132", r: "9" }),
  );
  arrow.append(finger);
  const words = html("span", {}, "Press here, pull, let go, then Start");
  // The status line says the same to a screen reader.
  const element = html("div", { class: "draggan-guide", "aria-hidden": "true", "data-shown": "false" }, arrow, words);
  let known = wasGuided();
  return {
    element,
    draw(wanted, drawn) {
      if (drawn && !known) rememberGuided();
      known ||= drawn;
      setAttribute(element, "data-shown", String(wanted && !known));
    },
  };
}

// A notebook is known by the path of its page, without the query: a token may stand there. A browser that keeps nothing
// for the page (a private window, Colab's frames) remembers as long as the page is open.
const KEY = `draggan-guided:${globalThis.location?.pathname ?? ""}`;

function wasGuided(): boolean {
  if (Reflect.get(globalThis, KEY) === true) return true;
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

function rememberGuided(): void {
  Reflect.set(globalThis, KEY, true);
  try {
    localStorage.setItem(KEY, "1");
  } catch {
    // the page's memory has it
  }
}
