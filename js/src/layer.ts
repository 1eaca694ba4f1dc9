// The map over the picture as it comes: decoded aside, the newest wins.

import type { Bytes, OverlayFact } from "./messages";

interface Layer<M> {
  /** null takes the map away. */
  lay(map: M | null, opacity: number): void;
}

export function layMaps<M extends { close(): void }>(
  layer: Layer<M>,
  decode: (map: Bytes, mime: string) => Promise<M>,
  failed: (message: string) => void,
): (fact: OverlayFact) => void {
  let newest: OverlayFact | null = null;
  const show = async (fact: OverlayFact): Promise<void> => {
    if (fact.picture === null) throw new Error("the message came without it");
    const map = await decode(fact.picture, "image/png");
    if (fact === newest) layer.lay(map, fact.opacity);
    map.close();
  };
  return (fact) => {
    newest = fact;
    if (!fact.shown) layer.lay(null, fact.opacity);
    else show(fact).catch((error: unknown) => failed(`The map over the picture could not be shown: ${String(error)}`));
  };
}
