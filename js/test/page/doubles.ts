// What stands in for the modules of ../../src that need a DOM (canvas, overlay, guide, panel, pointer, keys): they keep what
// the view gives them to show, and hand out the ports through which a user acts.

import type { PanelPorts, PanelView } from "../../src/panel";
import type { PointerPorts } from "../../src/pointer";

/** What the view last drew, and how to act on it; of the newest view. */
export const screen: { panel: PanelView | null; act: PanelPorts | null; pointer: PointerPorts | null } = {
  panel: null,
  act: null,
  pointer: null,
};

const nothing = (): void => {};

/** As much of an element as the view uses. */
export class Element {
  readonly attributes = new Map<string, string>();
  readonly setAttribute = (name: string, value: string): void => void this.attributes.set(name, value);
  readonly getAttribute = (name: string): string | null => this.attributes.get(name) ?? null;
  readonly append = nothing;
  readonly remove = nothing;
}

export function createStage(size: { width: number; height: number }) {
  const box = { left: 0, top: 0, ...size };
  return {
    element: new Element(),
    resize: nothing,
    box: () => box,
    watch: nothing,
    draw: nothing,
    showMap: nothing,
    veil: nothing,
  };
}

export function createOverlay() {
  return { element: new Element(), resize: nothing, draw: nothing, focus: nothing };
}

export function createGuide() {
  return { element: new Element(), draw: nothing };
}

export function createPanel(ports: PanelPorts) {
  screen.act = ports;
  const draw = (view: PanelView): void => {
    screen.panel = view;
  };
  return { element: new Element(), draw, restore: nothing };
}

export function attachPointer(ports: PointerPorts): void {
  screen.pointer = ports;
}

export const attachKeys = nothing;

export const losesFocus = (): boolean => false;
