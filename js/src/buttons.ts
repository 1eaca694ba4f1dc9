// The buttons: the names of what they do, and how one is made. The panel and its inputs both have some.

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
