// When a local change is sent. The kernel accepts an edit only if it was drawn on the current revision, so at most one
// edit is unanswered at a time. Wishes that depend on the edit wait until it is sent.

export const LIVE_INTERVAL = 1000 / 30; // ms between edits while an end of a running drag is moved
export const ANSWER_WAIT = 5000; // ms until the kernel is asked for a missing answer; a cell may block it for long
const LONGEST_WAIT = 60_000; // ms; the wait doubles with each question that is not answered
const MOST_JOBS = 16; // later clicks are dropped while the kernel does not answer

export interface OutboxPorts {
  /** Sends the edit as it is now; from then on `waiting` is true. */
  send(): void;
  hasUnsent(): boolean;
  /** Whether an edit is unanswered. */
  waiting(): boolean;
  /** ms between two edits: 0 if the pointer is up, Infinity to wait for the end of the gesture. */
  pace(): number;
  /** Asks the kernel for its present edit, since an edit was not answered. */
  ask(): void;
}

export interface Outbox {
  /** Sends what is due; to be called after every change. */
  poke(): void;
  /** Drops the waiting wishes, since the kernel was away. */
  forget(): void;
  /** Runs the job once all changes made so far were sent; at once if they were. */
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
    if (!ports.waiting()) stopAsking();
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

  function stopAsking(): void {
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
      stopAsking();
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
