import type { Part } from './group.ts';
import type { Leadership } from './leader-election.ts';
import { describeError } from './errors.ts';
import type { Logger } from './log.ts';

/** What runs in one replica at a time. After stop() it may be started again. */
export interface LeaderPart {
  readonly name: string;
  start(): void;
  stop(): Promise<void>;
}

/** Returns a part that runs `part` while this replica leads. */
export function whileLeading(leader: Leadership, part: LeaderPart, logger: Logger): Part {
  let running = false;
  const follow = (): void => {
    if (!running) return;
    if (leader.isLeader) part.start();
    else
      part
        .stop()
        .catch((error: unknown) =>
          logger.error({ part: part.name, error: describeError(error) }, 'a part could not be stopped'),
        );
  };
  leader.onChange(follow);
  return {
    name: part.name,
    start: () => {
      running = true;
      if (leader.isLeader) part.start();
    },
    stop: () => {
      running = false;
      return part.stop();
    },
  };
}
