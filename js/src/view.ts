// One rendered view: holds the state, and connects the kernel, the pointer, the picture and the panel to it.

import type { AnyModel } from "@anywidget/types";
import type { PanelAction } from "./buttons";
import { createStage, type Stage } from "./canvas";
import {
  buttonEdit,
  buttonWish,
  editMessage,
  enabledActions,
  inputWish,
  isWishButton,
  pace,
  panelView,
  type WishButton,
} from "./controls";
import { html, oncePerPaint, outlast, setAttribute } from "./dom";
import { type EditorAction, hasUnsent, initialEditor, shownMask, update } from "./editor";
import { type FrameQueue, frameQueue, notShown, SCREEN, usePoster } from "./frames";
import { imagePerCss, isVisible } from "./geometry";
import { createGuide, type Guide } from "./guide";
import type { InputChange } from "./inputs";
import { connect, type Kernel, sizeOf, type Traits, watchTraits } from "./kernel";
import { attachKeys, losesFocus } from "./keys";
import { mapQueue } from "./layer";
import type { Fact, FrameFact, OverlayFact } from "./messages";
import { type Outbox, outbox } from "./outbox";
import { createOverlay, type Overlay } from "./overlay";
import { createPanel, type Panel } from "./panel";
import { attachPointer } from "./pointer";
import { initialRun, type RunAction, type RunState, updateRun } from "./run";
import type { EditorState, EndRef } from "./state";
import { writeTestAttributes } from "./test_attributes";

export class View {
  readonly #model: AnyModel<Traits>;
  readonly #root: HTMLElement;
  readonly #el: HTMLElement;
  readonly #closing = new AbortController();
  readonly #stage: Stage;
  readonly #overlay: Overlay;
  readonly #guide: Guide = createGuide();
  readonly #panel: Panel;
  readonly #kernel: Kernel;
  readonly #outbox: Outbox;
  readonly #frames: FrameQueue;
  readonly #showMap: (fact: OverlayFact) => void;
  readonly #repaint = oncePerPaint(() => this.#paint());
  #editor: EditorState;
  #run: RunState;
  #focus: EndRef | "picture" | null = null;
  #asked: number | null = null; // the last revision whose mask the kernel was asked for

  constructor(model: AnyModel<Traits>, el: HTMLElement) {
    const size = sizeOf(model);
    const signal = this.#closing.signal;
    this.#model = model;
    this.#run = initialRun(model.get("status") === "running", model.get("seed") ?? null, model.get("truncation_psi"));
    this.#stage = createStage(size);
    this.#overlay = createOverlay(size);
    this.#stage.element.append(this.#overlay.element, this.#guide.element);
    const refuse = (note: string | null): void => this.#tell({ type: "note", note });
    this.#panel = createPanel(
      { act: (action) => this.#act(action), enter: (change) => this.#enter(change), refuse },
      signal,
    );
    this.#kernel = this.#connect();
    this.#editor = initialEditor(this.#kernel.client, size, model.get("max_points") ?? 64);
    this.#outbox = this.#createOutbox();
    this.#frames = this.#createFrames();
    this.#showMap = mapQueue(this.#stage, SCREEN.decode, (message) => this.#tell({ type: "failed", message }));
    const host = this.#kernel.colab ? "colab" : "jupyter";
    this.#root = html("div", { class: "draggan", "data-host": host }, this.#stage.element, this.#panel.element);
    this.#el = el;
    el.append(this.#root);
    this.#listen();
    void usePoster(model.get("_poster"), (picture) => this.#showPoster(picture));
    this.#kernel.hello();
    this.#checkClosed();
    this.#repaint();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#paint();
    this.#closing.abort();
    this.#frames.close();
    this.#outbox.close();
    if (this.#run.lastWords) outlast(this.#el, this.#root);
    else this.#root.remove();
  }

  #connect(): Kernel {
    const ports = {
      fact: (fact: Fact) => this.#hear(fact),
      silent: () => this.#run.link === "waiting" && this.#tell({ type: "link", link: "silent" }),
      gone: () => this.#run.link !== "closed" && this.#tell({ type: "link", link: "gone" }),
      running: () => this.#run.running,
      asked: () => this.#run.asked !== null,
      overdue: () => this.#tell({ type: "overdue" }),
    };
    return connect(this.#model, ports, this.#closing.signal);
  }

  #createOutbox(): Outbox {
    return outbox({
      send: () => this.#sendEdit(),
      hasUnsent: () => hasUnsent(this.#editor),
      waiting: () => this.#editor.pending !== null,
      ask: () => {
        this.#editor = update(this.#editor, { type: "overdue" });
        this.#kernel.ask();
      },
      pace: () => pace(this.#editor, this.#run),
    });
  }

  #createFrames(): FrameQueue {
    return frameQueue<ImageBitmap>({
      ...SCREEN,
      draw: (picture, frame) => this.#drawFrame(picture, frame),
      shown: (seq) => this.#kernel.send({ type: "shown", seq }),
      failed: (frame, error) => this.#tell({ type: "failed", message: notShown(frame, error) }),
    });
  }

  #listen(): void {
    const traits = {
      image_size: () => this.#resize(),
      seed: () => this.#tell({ type: "seed", seed: this.#model.get("seed") }),
      truncation_psi: () => this.#tell({ type: "truncation", truncation: this.#model.get("truncation_psi") }),
      status: () => this.#checkClosed(),
    };
    watchTraits(this.#model, traits, this.#closing.signal);
    this.#stage.watch(() => isVisible(this.#stage.box()) && this.#repaint(), this.#closing.signal);
    const ports = {
      overlay: this.#overlay.element,
      box: () => this.#stage.box(),
      state: () => this.#editor,
      ready: () => this.#run.link === "live",
      enabled: () => enabledActions(this.#editor, this.#run),
      act: (action: PanelAction) => this.#act(action),
      dispatch: (action: EditorAction) => this.#edit(action),
      focus: (ref: EndRef | null) => {
        this.#focus = ref ?? "picture";
        this.#repaint();
      },
    };
    attachPointer(ports, this.#closing.signal);
    attachKeys(this.#root, ports, this.#closing.signal);
  }

  #showPoster(picture: ImageBitmap): void {
    if (this.#run.drawn !== null) return;
    this.#stage.draw(picture);
    setAttribute(this.#root, "data-frame-kind", "poster");
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
        if (this.#editor.lost !== null && this.#editor.lost !== this.#asked) this.#kernel.ask(); // for its mask
        this.#asked = this.#editor.lost;
        break;
      case "frame":
        this.#frames.push(fact);
        break;
      case "overlay":
      case "run":
      case "settings":
        if (fact.type === "overlay") this.#showMap(fact);
        this.#tell(fact);
        break;
      case "failed":
        if (mine || fact.client === null) this.#tell(fact);
        if (mine) this.#panel.restore();
        break;
      default:
        fact satisfies never;
    }
  }

  #revive(): void {
    this.#editor = update(this.#editor, { type: "resync" });
    this.#outbox.forget();
    this.#tell({ type: "link", link: "live" });
  }

  #checkClosed(): void {
    if (this.#model.get("status") !== "closed") return;
    this.#tell({ type: "link", link: "closed", lastWords: this.#model.get("_last_words") ?? null });
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

  #sendEdit(): void {
    const rid = this.#kernel.nextRid();
    this.#kernel.send(...editMessage(this.#editor, rid));
    this.#editor = update(this.#editor, { type: "sent", rid });
    this.#run = updateRun(this.#run, { type: "edited" });
  }

  #act(action: PanelAction): void {
    if (action === "dismiss") this.#tell({ type: "dismiss" });
    if (!isWishButton(action)) {
      const change = buttonEdit(action, this.#editor);
      if (change !== null) this.#edit(change);
    } else if (action === "start" && this.#run.running)
      this.#wish(action); // Stop does not wait for the edit
    else this.#outbox.after(() => this.#wish(action));
  }

  #enter(change: InputChange): void {
    if (change.field === "brush") this.#edit({ type: "brush", size: Number(change.value) });
    const wish = inputWish(change, this.#kernel.nextRid(), this.#run.seed);
    if (wish !== null) this.#outbox.after(() => this.#kernel.send(wish));
  }

  #wish(action: WishButton): void {
    const wish = buttonWish(action, this.#kernel.nextRid(), this.#run.running);
    this.#kernel.send(wish);
    if (wish.type === "start" || wish.type === "stop") this.#tell({ type: "asked", asked: wish.type });
  }

  #paint(): void {
    if (this.#closing.signal.aborted) return;
    const box = this.#stage.box();
    if (isVisible(box)) this.#overlay.draw(this.#editor, imagePerCss(box, this.#editor.size));
    this.#stage.veil(shownMask(this.#editor));
    this.#guide.draw(isInviting(this.#editor, this.#run), this.#editor.points.length > 0);
    this.#panel.draw(panelView(this.#editor, this.#run));
    writeTestAttributes(this.#root, this.#editor, this.#run);
    if (losesFocus(this.#root)) this.#focus ??= "picture";
    if (this.#focus !== null) this.#overlay.focus(this.#focus === "picture" ? null : this.#focus);
    this.#focus = null;
  }
}

/** Whether a press on the picture would draw the first point. */
function isInviting(editor: EditorState, run: RunState): boolean {
  return run.link === "live" && !run.running && editor.tool === "points" && editor.gesture === null;
}
