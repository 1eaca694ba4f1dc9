// What the panel and its inputs share: the names of the actions, and how a button is made.

import { html } from "./dom";
import { type IconName, icon } from "./icons";

export type ActionName =
  | ("start" | "step" | "undo" | "redo" | "reset" | "seed")
  | ("lock" | "delete" | "clear" | "mask" | "erase" | "clear-mask");

export type PanelAction = ActionName | "dismiss";

export function createButton(action: IconName, label: string, title: string): HTMLButtonElement {
  const words = html("span", { class: "draggan-label" }, label);
  const attributes = { type: "button", class: "draggan-button", "data-action": action, title, "aria-label": label };
  return html("button", attributes, icon(action), words);
}
