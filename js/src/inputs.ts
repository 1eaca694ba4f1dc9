// The inputs of the panel: seed, truncation, brush size, and the settings of the drag.
//
// An input shows what the kernel holds. It is written only when that changes, so that it does not overwrite what the
// user is typing. A value is sent once: on Enter, or when a slider is released.

import { type ActionName, allow, createButton } from "./buttons";
import { html, setAttribute, setText } from "./dom";
import { BRUSH } from "./editor";
import { OVERLAY_VIEWS, type OverlayView, type Settings } from "./messages";

export type InputName = "seed" | "truncation" | "preset" | "max-steps" | "latent-space" | "overlay" | "brush";

export interface InputChange {
  readonly field: InputName;
  readonly value: string;
}

/** What the inputs show. */
export interface InputsView {
  readonly live: boolean;
  readonly pressed: ReadonlySet<ActionName>;
  readonly seed: number | null;
  readonly truncation: number;
  readonly settings: Settings | null;
  readonly overlay: OverlayView;
  readonly brush: number;
}

export interface Inputs {
  readonly rows: readonly HTMLElement[];
  /** The button that opens and closes the settings. */
  readonly toggle: HTMLElement;
  draw(view: InputsView): void;
  restore(): void;
}

const LAST_SEED = 2 ** 32 - 1;

export interface InputPorts {
  enter(change: InputChange): void;
  refuse(note: string | null): void;
}

type Control = HTMLInputElement | HTMLSelectElement;

/** One input; `show` writes what the kernel holds, `restore` writes it again. */
interface Input<C extends Control> {
  readonly control: C;
  readonly row: HTMLElement;
  show(value: string, enabled: boolean): void;
  restore(): void;
}

export function createInputs(ports: InputPorts, newSeed: HTMLElement, signal: AbortSignal): Inputs {
  const seed = createSeed(ports, newSeed, signal);
  const truncation = createSlider("truncation", "Truncation", { min: 0, max: 1, step: 0.05 }, signal);
  const brush = createSlider("brush", "Brush size", { min: BRUSH.least, max: BRUSH.most, step: 1 }, signal);
  const settings = createSettings(ports, signal);
  truncation.row.title = "How far from the average picture; less is more usual";
  truncation.control.addEventListener("change", () => send(ports, truncation.control, "truncation"), { signal });
  brush.control.addEventListener("input", () => send(ports, brush.control, "brush"), { signal });
  const brushRow = html("div", { class: "draggan-row draggan-brush-row", hidden: "" }, brush.row);
  const source = html("div", { class: "draggan-row" }, seed.row, truncation.row);
  return {
    rows: [brushRow, source, settings.row],
    toggle: settings.toggle,
    draw(view) {
      brushRow.hidden = !view.pressed.has("mask") && !view.pressed.has("erase");
      brush.show(String(view.brush), view.live);
      seed.draw(view);
      truncation.show(String(Math.round(view.truncation * 100) / 100), view.live && view.seed !== null);
      settings.draw(view);
    },
    restore() {
      for (const field of [seed.field, truncation, ...settings.fields]) field.restore();
    },
  };
}

function send(ports: InputPorts, control: Control, field: InputName): void {
  const fits = control.value !== "" && control.checkValidity();
  const entered = control.value === "" ? "no number" : control.value;
  ports.refuse(fits ? null : refusalText(control.getAttribute("data-label") ?? field, entered, control));
  if (fits) ports.enter({ field, value: control.value });
}

/** What is wrong with an entered number. */
function refusalText(label: string, entered: string, control: Control): string {
  const limit = (name: string) => control.getAttribute(name) ?? "";
  return `${label} is ${entered}; expected a whole number from ${limit("min")} to ${limit("max")}. Nothing was changed.`;
}

function createInput<C extends Control>(control: C, name: InputName, label: string, follow = () => {}): Input<C> {
  setAttribute(control, "data-field", name);
  setAttribute(control, "data-label", label);
  let shown: string | null = null;
  const write = (value: string): void => {
    shown = value;
    control.value = value;
    follow();
  };
  return {
    control,
    row: html("label", { class: "draggan-field" }, html("span", { class: "draggan-field-name" }, label), control),
    show(value, enabled) {
      control.disabled = !enabled;
      if (value !== shown) write(value);
    },
    restore: () => write(shown ?? ""),
  };
}

function createNumber(name: InputName, label: string, limits: Readonly<Record<string, number>>) {
  const attributes = Object.fromEntries(Object.entries(limits).map(([key, value]) => [key, String(value)]));
  return createInput(
    html("input", { type: "number", class: "draggan-number-field", step: "1", ...attributes }),
    name,
    label,
  );
}

function createSlider(name: InputName, label: string, limits: Readonly<Record<string, number>>, signal: AbortSignal) {
  const attributes = Object.fromEntries(Object.entries(limits).map(([key, value]) => [key, String(value)]));
  const control = html("input", { type: "range", class: "draggan-slider", ...attributes });
  const number = html("output", { class: "draggan-value" });
  const follow = (): void =>
    setText(number, name === "brush" ? `${control.value} px` : Number(control.value).toFixed(2));
  control.addEventListener("input", follow, { signal });
  const field = createInput(control, name, label, follow);
  field.row.append(number);
  return field;
}

function createSeed(ports: InputPorts, newSeed: HTMLElement, signal: AbortSignal) {
  const field = createNumber("seed", "Seed", { min: 0, max: LAST_SEED });
  const { control } = field;
  control.title = "The number of the picture (Enter applies it)";
  const go = (by: number): void => {
    control.value = String(Math.min(Math.max(Number(control.value) + by, 0), LAST_SEED));
    send(ports, control, "seed");
  };
  const forward = (): void => go(control.value === "" ? 0 : 1);
  const previous = createButton("prev-seed", "Previous seed", "The seed before", () => go(-1), signal);
  const next = createButton("next-seed", "Next seed", "The seed after", forward, signal);
  control.addEventListener(
    "keydown",
    (event) => event.key === "Enter" && !event.shiftKey && send(ports, control, "seed"),
    { signal },
  );
  control.addEventListener("blur", field.restore, { signal });
  const row = html("div", { class: "draggan-group" }, field.row, previous, next, newSeed);
  const draw = (view: InputsView): void => {
    field.show(view.seed === null ? "" : String(view.seed), view.live);
    allow(previous, view.live && view.seed !== null && view.seed > 0);
    allow(next, view.live && view.seed !== LAST_SEED);
  };
  return { field, row, draw };
}

let rows = 0; // makes the id of each settings row on the page unique

function createSettings(ports: InputPorts, signal: AbortSignal) {
  const preset = createInput(html("select"), "preset", "Preset");
  const steps = createNumber("max-steps", "Steps at most", { min: 1, max: 1_000_000 });
  const space = createInput(html("select"), "latent-space", "Latent space");
  const overlay = createInput(html("select"), "overlay", "Overlay");
  overlay.row.title = "What the drag sees, over the picture while it rests";
  const fields = [preset, steps, space, overlay];
  const names: readonly InputName[] = ["preset", "max-steps", "latent-space", "overlay"];
  fields.forEach(({ control }, i) => {
    control.addEventListener("change", () => send(ports, control, names[i] ?? "preset"), { signal });
  });
  const id = `draggan-settings-${++rows}`;
  const attributes = { id, class: "draggan-row draggan-settings", role: "group", "aria-label": "Settings", hidden: "" };
  const row = html("div", attributes, ...fields.map((field) => field.row));
  const flip = (): void => {
    row.hidden = !row.hidden;
    setAttribute(toggle, "aria-expanded", String(!row.hidden));
  };
  const toggle = createButton("settings", "Settings", "How the handles are dragged", flip, signal);
  setAttribute(toggle, "aria-controls", id);
  setAttribute(toggle, "aria-expanded", "false");
  const draw = ({ settings, overlay: view, live }: InputsView): void => {
    allow(toggle, settings !== null && live);
    if (settings === null) return;
    const { preset: chosen, presets } = settings; // Python may have given a changed preset another name
    setOptions(preset.control, presets.includes(chosen) ? presets : [chosen, ...presets]);
    setOptions(space.control, settings.latentSpaces);
    preset.show(chosen, live);
    steps.show(String(settings.maxSteps), live);
    space.show(settings.latentSpace, live);
    setOptions(overlay.control, view === "given" ? [...OVERLAY_VIEWS, view] : OVERLAY_VIEWS, OVERLAY_NAMES);
    overlay.show(view, live);
    space.row.hidden = settings.latentSpaces.length < 2;
  };
  return { row, toggle, fields, draw };
}

const OVERLAY_NAMES: Readonly<Record<string, string>> = {
  none: "none",
  colours: "features as colours",
  difference: "difference to the start",
  similarity: "similarity to the last handle",
  L2: "L2 distance to the last handle",
  channel: "strongest channel",
  cost: "tracker's cost at the last handle",
  given: "from Python",
};

function setOptions(select: HTMLSelectElement, names: readonly string[], words: Readonly<Record<string, string>> = {}) {
  if (names.length === select.options.length && names.every((name, i) => select.options[i]?.value === name)) return;
  const chosen = select.value;
  select.replaceChildren(...names.map((name) => html("option", { value: name }, words[name] ?? name)));
  select.value = chosen;
}
