// The real view hears what the kernel sent in each recorded trace, its user acts as recorded, and it must send and show
// the same. tests/widget/traces.py says what a trace is, tests/widget/record_traces.py records them.

/// <reference types="vite/client" />

import { afterEach, expect, test, vi } from "vitest";
import { type Buffer, Page, type UserAct } from "./page/page";

vi.mock("../src/canvas", () => import("./page/doubles"));
vi.mock("../src/overlay", () => import("./page/doubles"));
vi.mock("../src/guide", () => import("./page/doubles"));
vi.mock("../src/panel", () => import("./page/doubles"));
vi.mock("../src/pointer", () => import("./page/doubles"));
vi.mock("../src/keys", () => import("./page/doubles"));

interface Entry {
  readonly at: number; // ms
  readonly page?: number;
  readonly opens?: { readonly colab: boolean };
  readonly closes?: true;
  readonly user?: UserAct;
  readonly page_hears?: number;
  readonly wish?: unknown;
  readonly fact?: unknown;
  readonly buffers?: readonly Buffer[];
  readonly shows?: unknown;
}

const SIDE = 32; // image px
const files = import.meta.glob<readonly Entry[]>("../../tests/golden/traces/*.json", {
  eager: true,
  import: "default",
});
const traces = Object.entries(files).map(([path, entries]) => ({ name: path.replace(/.*\/|\.json/g, ""), entries }));
const views = traces.flatMap(({ name, entries }) =>
  entries.filter((entry) => entry.opens !== undefined).map(({ page = 0 }) => ({ name, page, entries })),
);
let opened: Page | null = null;

afterEach(() => {
  opened?.close();
  opened = null;
});

test("there are traces", () => {
  expect(traces.length).toBeGreaterThan(10);
});

test.each(views)("$name: page $page sends and shows what was recorded", async ({ page: number, entries }) => {
  const sent: unknown[] = [];
  const recorded: unknown[] = [];
  for (const { at, page, opens, closes, user, page_hears: heard, wish, buffers, shows } of entries) {
    if (page !== number || closes) continue;
    if (opens !== undefined) opened = new Page(at, { client: number + 1, colab: opens.colab, side: SIDE });
    if (opened === null) throw new Error("the trace begins before its page was opened");
    await opened.goTo(at);
    if (user !== undefined) await opened.act(user);
    if (heard !== undefined) await opened.hear(entries[heard]?.fact, entries[heard]?.buffers ?? []);
    if (wish !== undefined) recorded.push({ at, wish, buffers });
    sent.push(...opened.takeSent());
    if (shows !== undefined) expect(opened.shows(), `at ${at} ms`).toEqual(shows);
  }
  expect(sent).toEqual(recorded);
});
