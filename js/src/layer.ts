// The map over the picture: decoded when it arrives, and shown if no newer one has arrived.

import type { Bytes, OverlayFact } from "./messages";

interface Layer<M> {
  /** null removes the map. */
  showMap(map: M | null, opacity: number): void;
}

export function mapQueue<M extends { close(): void }>(
  layer: Layer<M>,
  decode: (map: Bytes, mime: string) => Promise<M>,
  failed: (message: string) => void,
): (fact: OverlayFact) => void {
  let newest: OverlayFact | null = null;
  const show = async (fact: OverlayFact): Promise<void> => {
    if (fact.picture === null) throw new Error("the message came without it");
    const map = await decode(fact.picture, "image/png");
    if (fact === newest) layer.showMap(map, fact.opacity);
    map.close();
  };
  return (fact) => {
    newest = fact;
    if (!fact.shown) layer.showMap(null, fact.opacity);
    else show(fact).catch((error: unknown) => failed(`The map over the picture could not be shown: ${String(error)}`));
  };
}
