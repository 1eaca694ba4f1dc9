// The frame of one output, as in Google Colab: a page of another origin, which talks to the notebook by messages alone.
// It holds a widget manager of its own, made of the parts of Jupyter that Colab's manager is made of (package.json).

import * as base from "@jupyter-widgets/base";
import { ManagerBase } from "@jupyter-widgets/base-manager";
import * as controls from "@jupyter-widgets/controls";
import "@jupyter-widgets/controls/css/widgets.css";
import "./output.css";

const CDN = "https://cdn.jsdelivr.net/npm";
const VIEW = "application/vnd.jupyter.widget-view+json";

const comms = new Map();
const asked = new Map();
const toNotebook = (message) => window.parent.postMessage(message, "*");

class Comm {
  target_name = "jupyter.widget";
  #closers = [];
  #listeners = [];

  constructor(id) {
    this.comm_id = id;
    comms.set(id, this);
  }

  send(data, callbacks, _metadata, buffers = []) {
    const sent = buffers.map((part) => new Uint8Array(part.buffer ?? part, part.byteOffset ?? 0, part.byteLength));
    toNotebook({ type: "send", id: this.comm_id, data, buffers: sent });
    Promise.resolve().then(() => callbacks?.iopub?.status?.({ content: { execution_state: "idle" } }));
    return "";
  }

  close() {
    return "";
  }

  on_msg(listener) {
    this.#listeners.push(listener);
  }

  on_close(closer) {
    this.#closers.push(closer);
  }

  /** Passes on a message of the kernel; Colab gives each buffer as a Uint8Array. */
  hear({ data, buffers }) {
    const message = { content: { comm_id: this.comm_id, data }, buffers: buffers.map((part) => new Uint8Array(part)) };
    for (const listener of this.#listeners) listener(message);
  }

  end() {
    for (const closer of this.#closers) closer(undefined);
  }
}

class Manager extends ManagerBase {
  #made = new Map();
  #modules = new Map([
    ["@jupyter-widgets/base", Promise.resolve(extensible(base))],
    ["@jupyter-widgets/controls", Promise.resolve(extensible(controls))],
  ]);

  get_model(id) {
    if (!this.#made.has(id)) this.#made.set(id, this.#make(id));
    return this.#made.get(id);
  }

  async #make(id) {
    const found = await new Promise((resolve) => {
      asked.set(id, resolve);
      toNotebook({ type: "state", id });
    });
    if (found === null) throw new Error(`model ${id} not found`);
    const { _model_name: model_name, _model_module: model_module, _model_module_version: model_module_version } = found;
    const options = { model_name, model_module, model_module_version, model_id: id, comm: new Comm(id) };
    return this.new_model(options, found);
  }

  async loadClass(name, module, version) {
    if (!this.#modules.has(module)) this.#modules.set(module, this.#load(module, version));
    return (await this.#modules.get(module))[name];
  }

  /** Runs the AMD module of a package from the CDN. */
  async #load(module, version) {
    const answer = await fetch(`${CDN}/${module}@${version.replace(/^\^/, "")}/dist/index.js`);
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
    let defined;
    const define = (...parts) => {
      defined = parts.slice(-2);
    };
    new Function("define", await answer.text())(define);
    const [needed, make] = defined;
    return make(...(await Promise.all(needed.map((name) => this.#modules.get(name)))));
  }

  _create_comm() {
    throw new Error("the page opens no comm");
  }

  _get_comm_info() {
    throw new Error("the page asks for no comms");
  }
}

/** Lets code of older JavaScript extend the classes of a module: it calls them without `new`. */
function extensible(module) {
  const call = { apply: (target, self, values) => Reflect.construct(target, values, self.constructor) };
  const isClass = (value) => typeof value === "function" && /^class\b/.test(value.toString());
  const entries = Object.entries(module).map(([name, value]) => [name, isClass(value) ? new Proxy(value, call) : value]);
  return Object.fromEntries(entries);
}

async function show(data, metadata) {
  const place = document.body.appendChild(document.createElement("div"));
  if (data[VIEW] === undefined) {
    if (data["text/html"] !== undefined) place.innerHTML = data["text/html"];
    else place.textContent = data["text/plain"] ?? "";
    return;
  }
  // Without this mark, which google.colab sets, Colab takes its own manager: it knows the widgets of Jupyter alone.
  if (metadata[VIEW]?.colab?.custom_widget_manager === undefined) {
    place.textContent = "Third party widgets are not enabled";
    return;
  }
  manager ??= new Manager();
  const view = await manager.create_view(await manager.get_model(data[VIEW].model_id));
  const tell = (type) => view.luminoWidget.processMessage({ type, isConflatable: false, conflate: () => false });
  tell("before-attach");
  place.append(view.el);
  tell("after-attach");
}

let manager;
document.documentElement.setAttribute("theme", new URLSearchParams(window.location.search).get("theme"));
window.google = { colab: {} };
window.addEventListener("message", ({ data }) => {
  if (data.type === "show") show(data.data, data.metadata).catch((error) => console.error(error));
  else if (data.type === "state") asked.get(data.id)?.(data.state);
  else if (data.type === "message") comms.get(data.id)?.hear(data);
  else if (data.type === "closed") comms.get(data.id)?.end();
});
new ResizeObserver(() => toNotebook({ type: "height", height: document.documentElement.offsetHeight })).observe(document.body);
toNotebook({ type: "ready" });
