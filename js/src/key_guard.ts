// Keeps the notebook's keys out of our views: a letter typed there would cut a cell, insert one or run one.
//
// JupyterLab from 4.1 on and the classic notebook look at a key on its way up from the focus: there the view stops it.
// Notebook 7 and older JupyterLabs look at it on its way down from the document, before the view hears of it: they pass
// over an element that bears SUPPRESS, but only if no selector of theirs matches an element below it. So the element
// with the focus itself bears it. Two keys are the notebook's: Shift+Enter runs the cell, Ctrl+S (Cmd+S) saves.

const SUPPRESS = "data-lm-suppress-shortcuts";
const ENTER = 13;
const S = 83;

/** Keeps the keys in `root`, a view: whatever has the focus in it, and wherever in it a person has clicked. */
export function guardKeys(root: HTMLElement, signal: AbortSignal): void {
  const down = (event: KeyboardEvent): void => {
    const path = event.composedPath();
    const [target] = path;
    if (!path.includes(root) || !(target instanceof Element)) return;
    const given = isNotebookKey(event);
    target.toggleAttribute(SUPPRESS, !given);
    if (given) wakeClassicNotebook();
  };
  const up = (event: KeyboardEvent): void => {
    if (!isNotebookKey(event)) event.stopPropagation();
  };
  window.addEventListener("keydown", down, { capture: true, signal });
  root.addEventListener("keydown", up, { signal });
  root.tabIndex = -1; // a click on words, too, gives the view the focus; else the notebook's cell takes it
}

/** Whether the notebook gets the key. As the hosts do, this asks for keyCode: it is the same on any keyboard layout. */
export function isNotebookKey({ keyCode, shiftKey, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (keyCode === ENTER) return shiftKey && !ctrlKey && !metaKey && !altKey;
  const mac = navigator.platform.startsWith("Mac");
  return keyCode === S && (mac ? metaKey && !ctrlKey : ctrlKey && !metaKey) && !shiftKey && !altKey;
}

/** The classic notebook listens to no key, these two neither, while a widget has the focus. */
function wakeClassicNotebook(): void {
  const jupyter: unknown = Reflect.get(globalThis, "Jupyter");
  const { keyboard_manager: manager } = (jupyter ?? {}) as { keyboard_manager?: { enable?: () => void } };
  manager?.enable?.();
}
