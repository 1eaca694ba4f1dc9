// When a local change goes to the kernel, which takes an edit only if it was drawn on the current revision: one
// unanswered edit at a time. What depends on the edit waits behind it.

export const LIVE_INTERVAL = 1000 / 30; // ms between edits while an end of a running drag is moved
export const ANSWER_WAIT = 5000; // ms until a missing answer is asked for; a cell that blocks the kernel takes long
const LONGEST_WAIT = 60_000; // ms; each time nothing comes, the next question waits twice as long
const MOST_JOBS = 16; // clicks on a kernel that does not answer are not hoarded

export interface OutboxPorts {
  /** Sends the edit as it is now; `waiting` holds from then on. */
  send(): void;
  hasUnsent(): boolean;
  /** Is an edit unanswered? */
  waiting(): boolean;
  /** ms between two edits: 0 when the pointer is up, Infinity when the end of the gesture is to be waited for. */
  pace(): number;
  /** Asks the kernel what has become of the unanswered edit. */
  ask(): void;
}

export interface Outbox {
  /** Something has changed: there may be something to send. */
  poke(): void;
  /** The kernel was away: what waits for it is given up. */
  forget(): void;
  /** Does this once every change made so far is on its way; at once when it is. */
  after(job: () => void): void;
  close(): void;
}

export function outbox(ports: OutboxPorts): Outbox {
  let lastSent = Number.NEGATIVE_INFINITY;
  let patience = ANSWER_WAIT;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let question: ReturnType<typeof setTimeout> | undefined;
  let jobs: (() => void)[] = [];

  function poke(): void {
    clearTimeout(timer);
    if (!ports.waiting()) calm();
    if (ports.hasUnsent()) {
      if (ports.waiting()) return;
      const pause = ports.pace();
      if (pause === Number.POSITIVE_INFINITY) return;
      const wait = lastSent + pause - performance.now();
      if (wait > 0) {
        timer = setTimeout(poke, wait);
        return;
      }
      lastSent = performance.now();
      ports.send();
      question = setTimeout(ask, patience);
    }
    const due = jobs;
    jobs = [];
    for (const job of due) job();
  }

  function calm(): void {
    clearTimeout(question);
    patience = ANSWER_WAIT;
  }

  function ask(): void {
    patience = Math.min(2 * patience, LONGEST_WAIT);
    question = setTimeout(ask, patience);
    ports.ask();
  }

  return {
    poke,
    forget() {
      calm();
      jobs = [];
    },
    after(job) {
      if (jobs.length < MOST_JOBS) jobs.push(job);
      poke();
    },
    close() {
      clearTimeout(timer);
      clearTimeout(question);
    },
  };
}
