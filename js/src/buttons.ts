// What the panel and its inputs share: the names of the actions, and how a button is made.

import { html, setAttribute } from "./dom";
import { type IconName, icon } from "./icons";

export type ActionName =
  | ("start" | "step" | "undo" | "redo" | "reset" | "seed")
  | ("lock" | "delete" | "clear" | "mask" | "erase" | "clear-mask");

export type PanelAction = ActionName | "dismiss";

export function createButton(
  action: IconName,
  label: string,
  title: string,
  press: () => void,
  signal: AbortSignal,
): HTMLButtonElement {
  const words = html("span", { class: "draggan-label" }, label);
  const attributes = { type: "button", class: "draggan-button", "data-action": action, title, "aria-label": label };
  const button = html("button", attributes, icon(action), words);
  const pressed = (): void => {
    if (button.getAttribute("aria-disabled") !== "true") press();
  };
  button.addEventListener("click", pressed, { signal });
  return button;
}

/** Allows or forbids a button. A forbidden one keeps the focus: with `disabled` the next key would go to the notebook. */
export function allow(button: HTMLElement, allowed: boolean): void {
  setAttribute(button, "aria-disabled", String(!allowed));
}
