// The panel under the picture: the toolbar, the rows of inputs, the status line and the error line.

import { type ActionName, allow, createButton, type PanelAction } from "./buttons";
import { html, setAttribute, setText } from "./dom";
import { icon } from "./icons";
import { createInputs, type InputChange, type InputsView } from "./inputs";

/** What the panel shows. */
export interface PanelView extends InputsView {
  readonly running: boolean;
  readonly enabled: ReadonlySet<ActionName>;
  /** Why the button that starts a drag cannot be pressed; null if it can. */
  readonly startRefusal: string | null;
  readonly status: string;
  /** The status is a quiet note (no kernel) rather than progress. */
  readonly muted: boolean;
  readonly error: string | null;
}

export interface PanelPorts {
  act(action: PanelAction): void;
  enter(change: InputChange): void;
  /** An entered value was not sent, for the reason in the note; null: the reason is gone. */
  refuse(note: string | null): void;
}

export interface Panel {
  readonly element: HTMLElement;
  draw(view: PanelView): void;
  /** Shows what the kernel holds again, after it has refused an entered value. */
  restore(): void;
}

interface ButtonSpec {
  readonly action: ActionName;
  readonly label: string;
  readonly title: string;
}

// One inner list is one group of buttons.
const GROUPS: readonly (readonly ButtonSpec[])[] = [
  [
    { action: "start", label: "Start", title: "Drag the handles to their targets (Space)" },
    { action: "step", label: "Step", title: "One step of the drag (.)" },
  ],
  [
    { action: "undo", label: "Undo", title: "Undo the last change (Ctrl+Z)" },
    { action: "redo", label: "Redo", title: "Do again what was undone (Ctrl+Shift+Z or Ctrl+Y)" },
    { action: "reset", label: "Reset", title: "Back to the picture before the drag (R)" },
  ],
  [
    { action: "lock", label: "Lock", title: "Hold the selected point where it is, or let it go again (L)" },
    { action: "delete", label: "Delete point", title: "Delete the selected point (Delete)" },
    { action: "clear", label: "Clear points", title: "Delete every point" },
  ],
  [
    { action: "mask", label: "Mask", title: "Paint what may move (M; size: [ and ])" },
    { action: "erase", label: "Erase", title: "Take away from what may move (E; size: [ and ])" },
    { action: "clear-mask", label: "Clear mask", title: "Let everything move" },
  ],
];
const SEED: ButtonSpec = { action: "seed", label: "New seed", title: "Another picture" };
const TOGGLES: readonly ActionName[] = ["lock", "mask", "erase"];

export function createPanel(ports: PanelPorts, signal: AbortSignal): Panel {
  const buttons = new Map<ActionName, HTMLButtonElement>();
  const add = (spec: ButtonSpec): HTMLButtonElement => {
    const button = createButton(spec.action, spec.label, spec.title, () => ports.act(spec.action), signal);
    buttons.set(spec.action, button);
    return button;
  };
  const groups = GROUPS.map((specs) => html("div", { class: "draggan-group" }, ...specs.map(add)));
  const toolbar = html("div", { class: "draggan-toolbar", role: "toolbar", "aria-label": "DragGAN" }, ...groups);
  const inputs = createInputs(ports, add(SEED), signal);
  groups.at(-1)?.append(inputs.toggle); // a group of its own would be alone in a row where it wraps
  const status = html("div", { class: "draggan-status", role: "status", "aria-live": "polite" });
  const error = createErrorLine(() => ports.act("dismiss"), signal);
  const element = html("div", { class: "draggan-panel" }, toolbar, ...inputs.rows, status, error.element);
  return {
    element,
    restore: inputs.restore,
    draw(view) {
      for (const [action, button] of buttons) {
        allow(button, view.enabled.has(action));
        if (TOGGLES.includes(action)) setAttribute(button, "aria-pressed", String(view.pressed.has(action)));
      }
      drawStart(buttons.get("start"), view.running, view.startRefusal);
      inputs.draw(view);
      // Ten updates a second are too many for a screen reader: it reads the start, the end and errors.
      setAttribute(status, "aria-live", view.running ? "off" : "polite");
      setAttribute(status, "data-muted", String(view.muted));
      setText(status, view.status);
      error.draw(view.error);
    },
  };
}

function drawStart(button: HTMLButtonElement | undefined, running: boolean, refusal: string | null): void {
  if (button === undefined) return;
  const title = running ? "Stop the drag (Space)" : "Drag the handles to their targets (Space)";
  setAttribute(button, "title", refusal ?? title);
  setAttribute(button, "aria-description", refusal ?? "");
  if (button.getAttribute("data-running") === String(running)) return;
  button.setAttribute("data-running", String(running));
  const label = running ? "Stop" : "Start";
  button.setAttribute("aria-label", label);
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
