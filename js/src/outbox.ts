// When a local change goes to the kernel: one unanswered edit at a time, at most 30 a second while an end is moved.

export const LIVE_INTERVAL = 1000 / 30; // ms between edits while the pointer is down
export const ANSWER_WAIT = 250; // ms to wait for the answer to the edit before; then the newer one goes anyway

export interface OutboxPorts {
  /** Sends the edit as it is now and returns its rid. */
  send(): number;
  hasUnsent(): boolean;
  pointerDown(): boolean;
}

export interface Outbox {
  /** There may be something to send. */
  poke(): void;
  /** The kernel has answered this rid. */
  answered(rid: number): void;
  /** Send what is unsent now: another wish follows that must come after it. */
  flush(): void;
  close(): void;
}

export function outbox(ports: OutboxPorts): Outbox {
  let inFlight: number | null = null;
  let lastSent = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function flush(): void {
    clearTimeout(timer);
    if (!ports.hasUnsent()) return;
    lastSent = performance.now();
    inFlight = ports.send();
  }

  function poke(): void {
    if (!ports.hasUnsent()) return;
    const pause = inFlight !== null ? ANSWER_WAIT : ports.pointerDown() ? LIVE_INTERVAL : 0;
    const wait = lastSent + pause - performance.now();
    clearTimeout(timer);
    if (wait <= 0) flush();
    else timer = setTimeout(poke, wait);
  }

  return {
    poke,
    flush,
    answered(rid) {
      if (inFlight === null || rid < inFlight) return;
      inFlight = null;
      poke();
    },
    close() {
      clearTimeout(timer);
    },
  };
}
