// Attributes of the widget's element for tests: they are written in the paint that shows what they say.

import { setAttribute } from "./dom";
import type { RunState } from "./run";
import type { EditorState } from "./state";

export function writeTestAttributes(root: HTMLElement, editor: EditorState, { running, link, drawn }: RunState): void {
  setAttribute(root, "data-status", running ? "running" : "idle");
  setAttribute(root, "data-link", link);
  setAttribute(root, "data-tool", editor.tool);
  setAttribute(root, "data-mask", String(editor.mask !== null));
  setAttribute(root, "data-revision", String(editor.revision));
  if (drawn === null) return;
  setAttribute(root, "data-frame-seq", String(drawn.seq));
  setAttribute(root, "data-frame-kind", drawn.kind);
  setAttribute(root, "data-step", String(drawn.step));
}
