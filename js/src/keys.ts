// The keys, while the widget has the focus. The titles of the buttons name them. key_guard.ts keeps them from the notebook.

import type { ActionName, PanelAction } from "./buttons";
import type { EditorAction } from "./editor";
import { guardKeys, isNotebookKey } from "./key_guard";
import { endOf } from "./overlay";
import type { EditorState, End, EndRef } from "./state";

export interface KeyPorts {
  state(): EditorState;
  /** False while no kernel answers. */
  ready(): boolean;
  enabled(): ReadonlySet<ActionName>;
  act(action: PanelAction): void;
  dispatch(action: EditorAction): void;
  focus(ref: EndRef | null): void;
}

const ACTIONS: Readonly<Record<string, ActionName>> = {
  " ": "start",
  ".": "step",
  r: "reset",
  l: "lock",
  m: "mask",
  e: "erase",
};
const REPEATABLE: readonly ActionName[] = ["step", "undo", "redo"];
const BRUSH_STEP = 1.25;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function attachKeys(root: HTMLElement, ports: KeyPorts, signal: AbortSignal): void {
  const listen = (event: KeyboardEvent): void => {
    if (key(ports, event)) event.preventDefault();
  };
  // After a click on a button the picture gets the keys; a button pressed by a key (detail 0) keeps them.
  const clicked = ({ detail, target }: MouseEvent): void => {
    if (detail > 0 && target instanceof Element && target.closest("button") !== null) ports.focus(null);
  };
  guardKeys(root, signal);
  root.addEventListener("keydown", listen, { signal });
  root.addEventListener("click", clicked, { signal });
}

/** Whether the focus is on an element that has been hidden or disabled: its next key would go to the notebook. */
export function losesFocus(root: HTMLElement): boolean {
  return root.querySelector(":focus")?.matches(":disabled, [hidden] *") === true;
}

/** Whether the widget has used the key. */
function key(ports: KeyPorts, event: KeyboardEvent): boolean {
  if (event.isComposing || isNotebookKey(event)) return false;
  if (event.key === "Escape") return leaveStep(ports, event.target);
  if (inField(event.target)) return false;
  // AltGr is Ctrl and Alt together; on many keyboards the brackets need it.
  if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph"))
    return !event.altKey && command(ports, event);
  if (!ports.ready()) return false;
  return pointKey(ports, event) || toolKey(ports, event);
}

function inField(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, select") !== null;
}

/** Escape leaves one thing at a time: the input, the gesture, the tool, the selection. */
function leaveStep(ports: KeyPorts, target: EventTarget | null): boolean {
  const { gesture, tool, selected } = ports.state();
  if (inField(target)) ports.focus(null);
  else if (gesture !== null) ports.dispatch({ type: "cancel" });
  else if (tool !== "points") ports.dispatch({ type: "tool", tool: "points" });
  else if (selected !== null) ports.dispatch({ type: "select", index: null });
  else return false;
  return true;
}

function command(ports: KeyPorts, event: KeyboardEvent): boolean {
  const letter = event.key.toLowerCase();
  if (letter === "z") return perform(ports, event, event.shiftKey ? "redo" : "undo");
  return letter === "y" && perform(ports, event, "redo");
}

function toolKey(ports: KeyPorts, event: KeyboardEvent): boolean {
  const { brush } = ports.state();
  if (event.key === "[") ports.dispatch({ type: "brush", size: Math.floor(brush / BRUSH_STEP) });
  else if (event.key === "]") ports.dispatch({ type: "brush", size: Math.ceil(brush * BRUSH_STEP) });
  else {
    const action = ACTIONS[event.key.toLowerCase()];
    const onButton = event.target instanceof Element && event.target.closest("button") !== null;
    // On a button, Space clicks the button.
    return action !== undefined && !(event.key === " " && onButton) && perform(ports, event, action);
  }
  return true;
}

// True also if the action is not possible now: the widget keeps the key, so that Space does not scroll the page.
function perform(ports: KeyPorts, event: KeyboardEvent, action: ActionName): boolean {
  if (ports.enabled().has(action) && (!event.repeat || REPEATABLE.includes(action))) ports.act(action);
  return true;
}

function pointKey(ports: KeyPorts, event: KeyboardEvent): boolean {
  const ref = endOf(event.target);
  const arrow = ARROWS[event.key];
  if (ref !== null && arrow !== undefined) {
    const reach = event.shiftKey ? 10 : 1;
    ports.dispatch({ type: "nudge", ref, dx: arrow[0] * reach, dy: arrow[1] * reach });
    return true;
  }
  const index = ref?.index ?? ports.state().selected;
  if (index !== null && (event.key === "Delete" || event.key === "Backspace")) {
    deletePoint(ports, index, ref?.end ?? "handle");
    return true;
  }
  return ref !== null && event.key === "Enter";
}

/** Deletes a point and moves the focus to its neighbour, so that the keyboard stays on the picture. */
function deletePoint(ports: KeyPorts, index: number, end: End): void {
  ports.dispatch({ type: "delete", index });
  const left = ports.state().points.length;
  ports.focus(left > 0 ? { index: Math.min(index, left - 1), end } : null);
}
