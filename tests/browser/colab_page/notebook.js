// The notebook of the page that stands for Google Colab: it runs cells, keeps the state of widgets, and gives each cell's
// output a frame. `window.notebook` is what the tests use.

const query = new URLSearchParams(window.location.search);
const token = query.get("token");
const OUTPUTS = query.get("outputs"); // address of the frames: another origin

const models = new Map(); // comm id -> state, without its binary parts: Colab loses them
const frames = new Map(); // cell -> its frame
const running = new Map(); // id of a request -> what it waits for
let saved = JSON.parse(sessionStorage.getItem("outputs") ?? "{}"); // cell -> its outputs, as the notebook's file keeps them
let socket;
let session;
// Colab passes on what a thread sends only while the kernel works on a message. The messages of our widgets that bear a
// type come from threads; those of ipycanvas bear none.
let listening = false;
let held = [];

const request = async (method, path, body) =>
  (await fetch(path, { method, headers: { Authorization: `token ${token}` }, body: JSON.stringify(body) })).json();

const post = (frame, message) => frame.contentWindow.postMessage(message, "*");

function send(channel, type, content, buffers = []) {
  const id = crypto.randomUUID();
  const header = { msg_id: id, msg_type: type, session: "colab", username: "", version: "5.3", date: new Date().toISOString() };
  const text = new TextEncoder().encode(JSON.stringify({ channel, header, parent_header: {}, metadata: {}, content }));
  const parts = [text, ...buffers];
  const head = new DataView(new ArrayBuffer(4 * (parts.length + 1)));
  head.setUint32(0, parts.length);
  let offset = head.byteLength;
  parts.forEach((part, number) => {
    head.setUint32(4 * (number + 1), offset);
    offset += part.byteLength;
  });
  socket.send(new Blob([head, ...parts]));
  return id;
}

function parse(data) {
  if (typeof data === "string") return { ...JSON.parse(data), buffers: [] };
  const view = new DataView(data);
  const count = view.getUint32(0);
  const starts = Array.from({ length: count }, (_, number) => view.getUint32(4 * (number + 1)));
  const parts = starts.map((start, number) => data.slice(start, starts[number + 1]));
  return { ...JSON.parse(new TextDecoder().decode(parts[0])), buffers: parts.slice(1) };
}

/** A state without its binary parts. */
function plain(data) {
  for (const path of data.buffer_paths ?? []) if (path.length === 1) delete data.state[path[0]];
  return data.state;
}

function hear(message) {
  const { header, content, parent_header: parent } = message;
  const type = header.msg_type;
  if (type === "status") {
    listening = content.execution_state !== "idle";
    if (listening) held.splice(0).forEach(pass);
    if (!listening) running.get(parent.msg_id)?.();
  } else if (type === "comm_msg" && content.data.content?.type !== undefined && !listening) held.push(message);
  else if (type === "comm_msg" || type === "comm_close") pass(message);
  else if (type === "comm_open") models.set(content.comm_id, plain(content.data));
  else if (cellOf.has(parent.msg_id)) keep(cellOf.get(parent.msg_id), type, content);
}

function pass({ header, content: { comm_id: id, data }, buffers }) {
  if (header.msg_type === "comm_close") {
    models.delete(id);
    for (const frame of frames.values()) post(frame, { type: "closed", id });
    return;
  }
  if (data.method === "update" || data.method === "echo_update")
    models.set(id, { ...models.get(id), ...plain(structuredClone(data)) });
  for (const frame of frames.values()) post(frame, { type: "message", id, data, buffers });
}

const cellOf = new Map(); // id of an execution -> its cell

function keep(cell, type, content) {
  if (!["stream", "display_data", "execute_result", "error"].includes(type)) return;
  const text = content.text ?? content.traceback?.join("\n");
  const output = { kind: type, data: content.data ?? { "text/plain": text }, metadata: content.metadata ?? {} };
  saved[cell] = [...(saved[cell] ?? []), output];
  sessionStorage.setItem("outputs", JSON.stringify(saved));
  post(frames.get(cell), { type: "show", ...output });
}

function createFrame(cell) {
  frames.get(cell)?.remove();
  const frame = document.createElement("iframe");
  frame.src = `${OUTPUTS}?theme=${document.documentElement.getAttribute("theme")}`;
  frame.dataset.cell = cell;
  frame.style = "width: 100%; border: 0";
  document.getElementById(`cell${cell}`).append(frame);
  frames.set(cell, frame);
  return new Promise((resolve) => {
    window.addEventListener("message", ({ data, source }) => {
      if (source !== frame.contentWindow) return;
      if (data.type === "ready") resolve(frame);
      if (data.type === "height") frame.style.height = `${data.height}px`;
      if (data.type === "send")
        send("shell", "comm_msg", { comm_id: data.id, data: data.data }, data.buffers);
      if (data.type === "state") post(frame, { type: "state", id: data.id, state: models.get(data.id) ?? null });
    });
  });
}

async function run(cell, code) {
  delete saved[cell];
  await createFrame(cell);
  const id = send("shell", "execute_request", {
    code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true,
  });
  cellOf.set(id, cell);
  await new Promise((resolve) => running.set(id, resolve));
  return saved[cell] ?? [];
}

/** After a reload: asks the kernel for the state of each widget, and shows the outputs of the file. */
async function restore() {
  const kernels = [];
  const listen = ({ data }) => {
    const { header, content } = parse(data);
    if (header.msg_type === "comm_info_reply") kernels.push(...Object.keys(content.comms));
    if (header.msg_type === "comm_msg" && content.data.method === "update") models.set(content.comm_id, plain(content.data));
  };
  socket.addEventListener("message", listen);
  send("shell", "comm_info_request", { target_name: "jupyter.widget" });
  const until = async (done) => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await until(() => kernels.length > 0);
  for (const id of kernels) send("shell", "comm_msg", { comm_id: id, data: { method: "request_state" } });
  await until(() => kernels.every((id) => models.has(id)));
  socket.removeEventListener("message", listen);
  for (const [cell, outputs] of Object.entries(saved)) {
    const frame = await createFrame(Number(cell));
    for (const output of outputs) post(frame, { type: "show", ...output });
  }
}

async function open() {
  session = await request("POST", "/api/sessions", { path: query.get("path"), name: "", type: "notebook", kernel: { name: "python3" } });
  const address = `ws://${window.location.host}/api/kernels/${session.kernel.id}/channels?session_id=colab&token=${token}`;
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.addEventListener("open", resolve));
  socket.addEventListener("message", ({ data }) => hear(parse(data)));
  if (Object.keys(saved).length > 0) await restore();
  window.notebook = { kernel: session.kernel.id, run };
}

document.documentElement.setAttribute("theme", query.get("theme"));
for (let cell = 0; cell < 8; cell += 1) {
  const place = document.body.appendChild(document.createElement("section"));
  place.id = `cell${cell}`;
}
open();
