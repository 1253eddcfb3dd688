/** The long versions of the stories, by name. */
import { playPlatformEdits } from './long-platform-edits.ts';
import { playRotations } from './long-rotations.ts';
import { playSoak } from './long-soak.ts';
import { playUnusable } from './long-unusable.ts';
import type { Report } from './table.ts';

export interface Story {
  readonly about: string;
  /** How long it takes, about. */
  readonly minutes: number;
  /** Rejects if it cannot be played; `tell` writes a line of progress. */
  readonly play: (tell: (line: string) => void) => Promise<readonly Report[]>;
}

export const STORIES: Readonly<Record<string, Story>> = {
  'unusable-policy': {
    about: 'policies that cannot be used, through restarts of one and of two replicas',
    minutes: 6,
    play: playUnusable,
  },
  'platform-edits': {
    about: 'platforms that edit the webhook configuration: it settles, and nothing is written for a minute',
    minutes: 10,
    play: playPlatformEdits,
  },
  rotations: {
    about: '200 rotations of the certificates of two replicas under load',
    minutes: 25,
    play: playRotations,
  },
  soak: {
    about: 'two replicas, while the API server restarts, watches are cut and everything changes',
    minutes: 62,
    play: playSoak,
  },
};
