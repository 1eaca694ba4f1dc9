// The toolbar, the status line and the error line.

import { html, setAttribute, setText } from "./dom";
import { type IconName, icon } from "./icons";

export type ActionName = "start" | "step" | "undo" | "reset" | "seed" | "delete" | "clear";

export interface PanelView {
  readonly running: boolean;
  readonly enabled: ReadonlySet<ActionName>;
  readonly seed: number | null;
  readonly status: string;
  /** A calm note (no kernel) rather than progress. */
  readonly muted: boolean;
  readonly error: string | null;
}

export interface Panel {
  readonly element: HTMLElement;
  draw(view: PanelView): void;
}

interface ButtonSpec {
  readonly action: ActionName;
  readonly icon: IconName;
  readonly label: string;
  readonly title: string;
}

// One inner list is one group of buttons.
const GROUPS: readonly (readonly ButtonSpec[])[] = [
  [
    { action: "start", icon: "start", label: "Start", title: "Drag the handles to their targets" },
    { action: "step", icon: "step", label: "Step", title: "One step of the drag" },
  ],
  [
    { action: "undo", icon: "undo", label: "Undo", title: "Undo the last change" },
    { action: "reset", icon: "reset", label: "Reset", title: "Back to the picture before the drag" },
  ],
  [
    { action: "delete", icon: "delete", label: "Delete point", title: "Delete the selected point (Delete key)" },
    { action: "clear", icon: "clear", label: "Clear points", title: "Delete every point" },
  ],
  [{ action: "seed", icon: "seed", label: "New seed", title: "Another picture" }],
];

export function createPanel(act: (action: ActionName) => void, dismiss: () => void, signal: AbortSignal): Panel {
  const buttons = new Map<ActionName, HTMLButtonElement>();
  const toolbar = html("div", { class: "draggan-toolbar", role: "toolbar", "aria-label": "DragGAN" });
  for (const specs of GROUPS) {
    const group = html("div", { class: "draggan-group" });
    for (const spec of specs) {
      const button = createButton(spec);
      button.addEventListener("click", () => act(spec.action), { signal });
      buttons.set(spec.action, button);
      group.append(button);
    }
    toolbar.append(group);
  }
  const seed = html("output", { class: "draggan-seed" });
  toolbar.lastElementChild?.append(seed);
  const status = html("div", { class: "draggan-status", role: "status", "aria-live": "polite" });
  const error = createErrorLine(dismiss, signal);
  const element = html("div", { class: "draggan-panel" }, toolbar, status, error.element);
  return {
    element,
    draw(view) {
      for (const [action, button] of buttons) button.disabled = !view.enabled.has(action);
      drawStart(buttons.get("start"), view.running);
      setText(seed, view.seed === null ? "" : `seed ${view.seed}`);
      // Ten numbers a second are for the eye; a screen reader hears the start, the end and what went wrong.
      setAttribute(status, "aria-live", view.running ? "off" : "polite");
      setAttribute(status, "data-muted", String(view.muted));
      setText(status, view.status);
      error.draw(view.error);
    },
  };
}

function createButton({ action, icon: name, label, title }: ButtonSpec): HTMLButtonElement {
  const words = html("span", { class: "draggan-label" }, label);
  const attributes = { type: "button", class: "draggan-button", "data-action": action, title, "aria-label": label };
  return html("button", attributes, icon(name), words);
}

function drawStart(button: HTMLButtonElement | undefined, running: boolean): void {
  if (button === undefined || button.getAttribute("data-running") === String(running)) return;
  button.setAttribute("data-running", String(running));
  const label = running ? "Stop" : "Start";
  button.setAttribute("aria-label", label);
  button.title = running ? "Stop the drag" : "Drag the handles to their targets";
  button.replaceChildren(icon(running ? "stop" : "start"), html("span", { class: "draggan-label" }, label));
}

function createErrorLine(dismiss: () => void, signal: AbortSignal) {
  const words = html("span", { class: "draggan-error-text" });
  const close = html("button", { type: "button", class: "draggan-dismiss", "aria-label": "Dismiss" }, icon("clear"));
  close.addEventListener("click", dismiss, { signal });
  const element = html("div", { class: "draggan-error", role: "alert", hidden: "" }, words, close);
  return {
    element,
    draw(error: string | null): void {
      setText(words, error ?? "");
      element.hidden = error === null;
    },
  };
}
