// Helpers that create elements and update them.

const SVG = "http://www.w3.org/2000/svg";

type Attributes = Readonly<Record<string, string>>;

export function html<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  return fill(element, attributes, children);
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  return fill(element, attributes, children);
}

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly (Node | string)[]): E {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Writes the text only if it differs: a screen reader would read an unchanged live region again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A function that calls `then` once at the next paint, however often it is called until then. */
export function oncePerPaint(then: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      then();
    });
  };
}

/** Leaves the last picture and its words where the view was. JupyterLab hides the place of a view that has ended, so
 *  they go beside it; they vanish with the cell's next output. Nothing in them takes the focus, since nothing keeps the
 *  notebook's keys out of them any more. */
export function outlast(el: HTMLElement, root: HTMLElement): void {
  for (const element of [root, ...root.querySelectorAll("button, input, select, [tabindex]")]) {
    element.removeAttribute("tabindex"); // an element of SVG cannot be inert
    element.toggleAttribute("inert", element !== root);
  }
  if (el.isConnected) (el.closest(".jp-OutputArea-output") ?? el).after(root);
}
