import { expect, test } from "vitest";
import { mapQueue } from "../src/layer";
import { asBytes, type Bytes, type OverlayFact } from "../src/messages";

const fact = (view: OverlayFact["view"], bytes: number | null, opacity = 0.6): OverlayFact => {
  const picture = bytes === null ? null : asBytes(new Uint8Array([bytes]));
  return { type: "overlay", view, opacity, shown: view !== "none", picture };
};

interface Map {
  readonly of: number;
  close(): void;
}

function world() {
  const laid: (readonly [number | null, number])[] = [];
  const failed: string[] = [];
  const waiting: (() => void)[] = [];
  let closed = 0;
  const layer = { showMap: (map: Map | null, opacity: number) => void laid.push([map?.of ?? null, opacity]) };
  const decode = (map: Bytes) =>
    new Promise<Map>((resolve) => {
      waiting.push(() => resolve({ of: (map as Uint8Array)[0] ?? 0, close: () => void closed++ }));
    });
  const lay = mapQueue(layer, decode, (message) => failed.push(message));
  const settle = async (index: number) => {
    waiting[index]?.();
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { lay, laid, failed, settle, closed: () => closed };
}

test("a map is shown over the picture with its opacity, and removed", async () => {
  const { lay, laid, settle, closed } = world();
  lay(fact("colours", 7, 0.25));
  await settle(0);
  lay(fact("none", null));
  expect(laid).toEqual([
    [7, 0.25],
    [null, 0.6],
  ]);
  expect(closed()).toBe(1);
});

test("of two maps the newer stays, whichever is decoded first", async () => {
  const { lay, laid, settle, closed } = world();
  lay(fact("colours", 1));
  lay(fact("difference", 2));
  await settle(1);
  await settle(0);
  expect(laid).toEqual([[2, 0.6]]);
  expect(closed()).toBe(2);
});

test("a map that is decoded only after it was removed is not shown", async () => {
  const { lay, laid, settle } = world();
  lay(fact("colours", 1));
  lay(fact("none", null));
  await settle(0);
  expect(laid).toEqual([[null, 0.6]]);
});

test("a message that arrived without its map is reported", async () => {
  const { lay, failed, settle } = world();
  lay(fact("given", null));
  await settle(0);
  expect(failed).toEqual(["The map over the picture could not be shown: Error: the message came without it"]);
});
