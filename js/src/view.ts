// One rendered view: holds its state, and ties kernel, pointer, picture and panel to it.

import type { AnyModel } from "@anywidget/types";
import { createStage, type Stage } from "./canvas";
import { panelView, type WishName, wishFor } from "./controls";
import { html, oncePerPaint, setAttribute } from "./dom";
import { type EditorAction, type EditorState, type EndRef, hasUnsent, initialEditor, update } from "./editor";
import { decodePicture, decodePoster, type FrameQueue, frameQueue } from "./frames";
import { imagePerCss, isVisible } from "./geometry";
import { connect, type Kernel, sizeOf, type Traits, watchTraits } from "./kernel";
import { editWish, type Fact, type FrameFact } from "./messages";
import { type Outbox, outbox } from "./outbox";
import { createOverlay, type Overlay } from "./overlay";
import { type ActionName, createPanel, type Panel } from "./panel";
import { attachPointer } from "./pointer";
import { initialRun, type RunAction, type RunState, updateRun } from "./run";

type Model = AnyModel<Traits>;

export class View {
  readonly #model: Model;
  readonly #root: HTMLElement;
  readonly #closing = new AbortController();
  readonly #stage: Stage;
  readonly #overlay: Overlay;
  readonly #panel: Panel;
  readonly #kernel: Kernel;
  readonly #outbox: Outbox;
  readonly #frames: FrameQueue;
  readonly #repaint = oncePerPaint(() => this.#paint());
  #editor: EditorState;
  #run: RunState;
  #focus: EndRef | null = null;

  constructor(model: Model, el: HTMLElement) {
    const size = sizeOf(model);
    const signal = this.#closing.signal;
    this.#model = model;
    this.#run = initialRun(model.get("status") === "running", model.get("seed") ?? null);
    this.#stage = createStage(size);
    this.#overlay = createOverlay(size);
    this.#stage.element.append(this.#overlay.element);
    this.#panel = createPanel(
      (action) => this.#act(action),
      () => this.#dismiss(),
      signal,
    );
    this.#kernel = this.#connect();
    this.#editor = initialEditor(this.#kernel.client, size, model.get("max_points") ?? 64);
    this.#outbox = this.#createOutbox();
    this.#frames = this.#createFrames();
    const attributes = { "data-host": this.#kernel.colab ? "colab" : "jupyter", "data-lm-suppress-shortcuts": "true" };
    this.#root = html("div", { class: "draggan", ...attributes }, this.#stage.element, this.#panel.element);
    el.append(this.#root);
    this.#listen();
    void this.#showPoster();
    this.#kernel.hello();
    this.#checkClosed();
    this.#repaint();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#frames.close();
    this.#outbox.close();
    this.#root.remove();
  }

  #connect(): Kernel {
    const ports = {
      fact: (fact: Fact) => this.#hear(fact),
      silent: () => this.#run.link === "waiting" && this.#tell({ type: "link", link: "silent" }),
      gone: () => this.#tell({ type: "link", link: "gone" }),
      running: () => this.#run.running,
    };
    return connect(this.#model, ports, this.#closing.signal);
  }

  #createOutbox(): Outbox {
    return outbox({
      send: () => this.#sendEdit(),
      hasUnsent: () => hasUnsent(this.#editor),
      pointerDown: () => this.#editor.gesture !== null,
    });
  }

  #createFrames(): FrameQueue {
    return frameQueue<ImageBitmap>({
      decode: decodePicture,
      nextPaint: (then) => void requestAnimationFrame(then),
      draw: (picture, frame) => this.#drawFrame(picture, frame),
      shown: (seq) => this.#kernel.send({ type: "shown", seq }),
      failed: ({ step }, error) => {
        const message = `The picture of step ${step} could not be shown: ${String(error)}`;
        this.#tell({ type: "failed", message, ends: false });
      },
    });
  }

  #listen(): void {
    const traits = {
      image_size: () => this.#resize(),
      seed: () => this.#tell({ type: "seed", seed: this.#model.get("seed") }),
      status: () => this.#checkClosed(),
    };
    watchTraits(this.#model, traits, this.#closing.signal);
    const observer = new ResizeObserver(() => isVisible(this.#box()) && this.#repaint());
    observer.observe(this.#stage.element);
    this.#closing.signal.addEventListener("abort", () => observer.disconnect());
    attachPointer(
      {
        overlay: this.#overlay.element,
        box: () => this.#box(),
        state: () => this.#editor,
        ready: () => this.#run.link === "live",
        dispatch: (action) => this.#edit(action),
        focus: (ref) => this.#focusNext(ref),
      },
      this.#closing.signal,
    );
  }

  #box(): DOMRect {
    return this.#stage.canvas.getBoundingClientRect();
  }

  async #showPoster(): Promise<void> {
    const picture = await decodePoster(this.#model.get("_poster"));
    if (picture !== null && this.#run.drawn === null) {
      this.#stage.draw(picture);
      setAttribute(this.#root, "data-frame-kind", "poster");
    }
    picture?.close();
  }

  #drawFrame(picture: ImageBitmap, frame: FrameFact): void {
    this.#stage.draw(picture);
    this.#editor = update(this.#editor, { type: "tracked", revision: frame.revision, handles: frame.handles });
    this.#run = updateRun(this.#run, { type: "drawn", frame });
    this.#paint(); // the points move in the same paint as the picture
  }

  #hear(fact: Fact): void {
    if (this.#run.link !== "live" && this.#run.link !== "closed") this.#revive();
    const mine = "client" in fact && fact.client === this.#kernel.client;
    switch (fact.type) {
      case "edit":
        this.#edit({ type: "fact", fact });
        if (mine && fact.rid !== null) this.#outbox.answered(fact.rid);
        break;
      case "frame":
        this.#frames.push(fact);
        break;
      case "started":
        this.#tell({ type: "running", running: true });
        break;
      case "ended":
        this.#tell(fact);
        break;
      case "failed":
        if (mine || fact.client === null) this.#tell({ ...fact, ends: fact.rid === null });
        break;
      default:
        fact satisfies never;
    }
  }

  #revive(): void {
    this.#editor = update(this.#editor, { type: "resync" });
    this.#tell({ type: "link", link: "live" });
    this.#tell({ type: "running", running: this.#model.get("status") === "running" });
  }

  #checkClosed(): void {
    if (this.#model.get("status") === "closed") this.#tell({ type: "link", link: "closed" });
  }

  #resize(): void {
    const size = sizeOf(this.#model);
    this.#stage.resize(size);
    this.#overlay.resize(size);
    this.#edit({ type: "resize", size });
  }

  #edit(action: EditorAction): void {
    this.#editor = update(this.#editor, action);
    this.#outbox.poke();
    this.#repaint();
  }

  #tell(action: RunAction): void {
    this.#run = updateRun(this.#run, action);
    this.#repaint();
  }

  #sendEdit(): number {
    const rid = this.#kernel.nextRid();
    this.#kernel.send(editWish(rid, this.#editor.revision, this.#editor.points));
    this.#editor = update(this.#editor, { type: "sent", rid });
    this.#run = updateRun(this.#run, { type: "edited" });
    return rid;
  }

  #act(action: ActionName): void {
    const selected = this.#editor.selected;
    if (action === "clear") this.#edit({ type: "clear" });
    else if (action !== "delete") this.#wish(action);
    else if (selected !== null) this.#edit({ type: "delete", index: selected });
  }

  #wish(action: WishName): void {
    this.#outbox.flush(); // the edit comes before the wish that builds on it
    const wish = wishFor(action, this.#kernel.nextRid(), this.#run.running);
    this.#kernel.send(wish);
    if (wish.type === "start" || wish.type === "stop") this.#tell({ type: "asked", asked: wish.type });
  }

  #dismiss(): void {
    this.#tell({ type: "dismiss" });
    this.#edit({ type: "dismiss" });
  }

  #focusNext(ref: EndRef): void {
    this.#focus = ref;
    this.#repaint();
  }

  #paint(): void {
    if (this.#closing.signal.aborted) return;
    const box = this.#box();
    if (isVisible(box)) this.#overlay.draw(this.#editor, imagePerCss(box, this.#editor.size));
    this.#panel.draw(panelView(this.#editor, this.#run));
    this.#mark();
    if (this.#focus !== null) this.#overlay.focus(this.#focus);
    this.#focus = null;
  }

  // What a test, or a curious user, can read off the element; written when a frame has really been drawn.
  #mark(): void {
    setAttribute(this.#root, "data-status", this.#run.running ? "running" : "idle");
    setAttribute(this.#root, "data-link", this.#run.link);
    setAttribute(this.#root, "data-revision", String(this.#editor.revision));
    const drawn = this.#run.drawn;
    if (drawn === null) return;
    setAttribute(this.#root, "data-frame-seq", String(drawn.seq));
    setAttribute(this.#root, "data-frame-kind", drawn.kind);
    setAttribute(this.#root, "data-step", String(drawn.step));
  }
}
