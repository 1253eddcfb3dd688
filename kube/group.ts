import { describeError } from './errors.ts';
import type { Logger } from './log.ts';

/** A part that lives as long as the process. It leaves out start() or stop() if it has nothing to do there. */
export interface Part {
  /** For messages and the log. */
  readonly name: string;
  /** Resolves when later stages may rely on it. Rejects if it can never do its work. */
  start?(): void | Promise<void>;
  /** Resolves when nothing of it runs any more. May be called before start() has resolved. */
  stop?(): void | Promise<void>;
}

/** A part that could not be started; `cause` is what its start() rejected with. */
export class StartError extends Error {
  constructor(part: Part, cause: unknown) {
    super(`the ${part.name} could not be started: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.name = 'StartError';
  }
}

/**
 * The parts of a process in the order in which they start: one stage after the other, the parts of a stage at the same
 * time. They stop in reverse order. Nothing else in the process may be long-lived.
 */
export class Group {
  readonly #stages: readonly (readonly Part[])[];
  readonly #logger: Logger;
  readonly #stopAsked = Promise.withResolvers<undefined>();
  #begun = 0;
  #stopping: Promise<void> | undefined;

  constructor(stages: readonly (readonly Part[])[], logger: Logger) {
    this.#stages = stages;
    this.#logger = logger;
  }

  /**
   * Starts all parts. Rejects with StartError as soon as one fails, and starts no further stage: stop() then ends those
   * that run, including the failed one. Resolves early if stop() is called meanwhile.
   */
  async start(): Promise<void> {
    for (const stage of this.#stages) {
      if (this.#stopping !== undefined) return;
      this.#begun += 1;
      await Promise.race([Promise.all(stage.map(started)), this.#stopAsked.promise]);
    }
  }

  /** Stops what was started, in reverse order. Never rejects: a part that cannot stop is logged, and the others go on. */
  stop(): Promise<void> {
    this.#stopAsked.resolve(undefined);
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const stage of this.#stages.slice(0, this.#begun).reverse()) {
      await Promise.all(stage.map((part) => this.#stopped(part)));
    }
  }

  async #stopped(part: Part): Promise<void> {
    try {
      await part.stop?.();
    } catch (error) {
      this.#logger.error({ part: part.name, error: describeError(error) }, 'a part could not be stopped');
    }
  }
}

async function started(part: Part): Promise<void> {
  try {
    await part.start?.();
  } catch (error) {
    throw new StartError(part, error);
  }
}
