// The icons of the buttons: 16 x 16 css px, in the colour of the text.

import { svg } from "./dom";

const PATHS = {
  start: "M5 3.2v9.6a.6.6 0 0 0 .92.5l7.4-4.8a.6.6 0 0 0 0-1L5.92 2.7A.6.6 0 0 0 5 3.2Z",
  stop: "M4.2 3.5h7.6a.7.7 0 0 1 .7.7v7.6a.7.7 0 0 1-.7.7H4.2a.7.7 0 0 1-.7-.7V4.2a.7.7 0 0 1 .7-.7Z",
  step: "M3.5 3.4v9.2a.5.5 0 0 0 .78.42l6.6-4.6a.5.5 0 0 0 0-.84l-6.6-4.6a.5.5 0 0 0-.78.42ZM12 3h1.5v10H12Z",
  undo: "M6.5 3 3 6.5 6.5 10M3.4 6.5h5.85a3.25 3.25 0 0 1 0 6.5H6.5",
  reset: "M3.2 2.8v3.4h3.4M3.5 6A5.1 5.1 0 1 1 2.9 8.6",
  seed: "M8 1.8v3.4M8 10.8v3.4M1.8 8h3.4M10.8 8h3.4M3.9 3.9l1.9 1.9M10.2 10.2l1.9 1.9M12.1 3.9l-1.9 1.9M5.8 10.2l-1.9 1.9",
  delete: "M2.8 4.5h10.4M6.4 4.3V2.8h3.2v1.5M4.2 4.7l.6 8.5h6.4l.6-8.5M6.8 7.2v3.6M9.2 7.2v3.6",
  redo: "M9.5 3 13 6.5 9.5 10M12.6 6.5H6.75a3.25 3.25 0 0 0 0 6.5H9.5",
  lock: "M4.5 7.2h7a.8.8 0 0 1 .8.8v4.4a.8.8 0 0 1-.8.8h-7a.8.8 0 0 1-.8-.8V8a.8.8 0 0 1 .8-.8ZM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  mask: "M13.2 2.6 7.6 8.9M6.9 8.6c-1.6-.3-2.9.7-3.1 2.2-.1.9-.6 1.6-1.3 1.9 2.4.9 5.3.4 5.8-2 .2-.9-.4-1.8-1.4-2.1Z",
  erase: "M6.2 13.2 2.9 9.9a1 1 0 0 1 0-1.4l5.3-5.3a1 1 0 0 1 1.4 0l3.6 3.6a1 1 0 0 1 0 1.4l-5 5ZM5.4 6l5 5M6 13.2h7.2",
  "clear-mask": "M2.8 3.4h10.4v9.2H2.8ZM6 6l4 4M10 6l-4 4",
  "prev-seed": "M9.8 3.8 5.6 8l4.2 4.2",
  "next-seed": "M6.2 3.8 10.4 8l-4.2 4.2",
  settings: "M2.5 4.8h6M11.5 4.8h2M2.5 11.2h2M7.5 11.2h6M8.5 3.3v3h3v-3ZM4.5 9.7v3h3v-3Z",
  clear: "M3.5 3.5l9 9M12.5 3.5l-9 9",
} as const;

export type IconName = keyof typeof PATHS;

const FILLED: readonly IconName[] = ["start", "stop", "step"];

export function icon(name: IconName): SVGElement {
  const filled = FILLED.includes(name);
  const paint = filled ? { fill: "currentColor" } : { fill: "none", stroke: "currentColor", "stroke-width": "1.5" };
  const path = svg("path", { d: PATHS[name], "stroke-linecap": "round", "stroke-linejoin": "round", ...paint });
  return svg("svg", { viewBox: "0 0 16 16", class: "draggan-icon", "aria-hidden": "true" }, path);
}
