// Time that passes only when it is told to: timers, intervals and paints in the order in which they fall due.

declare const setImmediate: (then: () => void) => void; // Node's

const PAINT = 30; // ms until the next paint

interface Timer {
  readonly due: number;
  readonly every: number | null;
  readonly then: () => void;
}

export interface Clock {
  /** ms */
  readonly now: () => number;
  /** When the next timer falls due, in ms; null where there is none. */
  next(): number | null;
  /** Runs everything that is due until then, that moment included. */
  goTo(ms: number): Promise<void>;
  /** A hidden page is not painted; paints that were asked for come when it is shown again. */
  hide(hidden: boolean): void;
  /** Gives the globals back. */
  restore(): void;
}

/** Puts the clock in the place of the global timers. */
export function installClock(): Clock {
  let now = 0;
  let newest = 0;
  let hidden = false;
  let paints: (() => void)[] = [];
  const timers = new Map<number, Timer>();
  const start = (then: () => void, ms: number, every: number | null): number => {
    timers.set(++newest, { due: now + Math.max(0, Math.ceil(ms)), every, then });
    return newest;
  };
  const paint = (then: () => void): void => {
    if (hidden) paints.push(then);
    else start(then, PAINT, null);
  };
  const globals: Record<string, unknown> = {
    setTimeout: (then: () => void, ms = 0) => start(then, ms, null),
    setInterval: (then: () => void, ms: number) => start(then, ms, ms),
    clearTimeout: (id: number) => timers.delete(id),
    clearInterval: (id: number) => timers.delete(id),
    requestAnimationFrame: paint,
    performance: { now: () => now },
  };
  const restore = installGlobals(globals);
  const first = (): [number, Timer] | undefined =>
    [...timers].reduce<[number, Timer] | undefined>(
      (best, entry) => (best === undefined || entry[1].due < best[1].due ? entry : best),
      undefined,
    );
  return {
    now: () => now,
    next: () => first()?.[1].due ?? null,
    async goTo(ms) {
      for (let entry = first(); entry !== undefined && entry[1].due <= ms; entry = first()) {
        const [id, timer] = entry;
        now = Math.max(now, timer.due);
        timers.delete(id);
        if (timer.every !== null) timers.set(id, { ...timer, due: timer.due + timer.every });
        timer.then();
        await settled();
      }
      now = Math.max(now, ms);
    },
    hide(value) {
      hidden = value;
      if (hidden) return;
      const waiting = paints;
      paints = [];
      for (const then of waiting) paint(then);
    },
    restore,
  };
}

/** Replaces globals, and returns what puts the former ones back. */
export function installGlobals(values: Readonly<Record<string, unknown>>): () => void {
  const former = Object.keys(values).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
  for (const [name, value] of Object.entries(values))
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  return () => {
    for (const [name, descriptor] of former) {
      if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
      else Object.defineProperty(globalThis, name, descriptor);
    }
  };
}

/** Every promise that can be settled now has been. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
