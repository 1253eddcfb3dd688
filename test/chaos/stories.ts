/** The long versions of the stories, by name. */
import { playFrozenLong } from './long-frozen.ts';
import { playPlatformEdits } from './long-platform-edits.ts';
import { playRolling } from './long-rolling.ts';
import { playRotations } from './long-rotations.ts';
import { playSoak } from './long-soak.ts';
import { playStrangers } from './long-strangers.ts';
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
  frozen: {
    about: 'one of two replicas loses its API server without noticing',
    minutes: 10,
    play: playFrozenLong,
  },
  rolling: { about: 'two replicas are rolled, overloaded and killed under load', minutes: 7, play: playRolling },
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
  strangers: {
    about: 'strangers with 200 connections to each of two replicas, beside updates of workloads',
    minutes: 7,
    play: playStrangers,
  },
  soak: {
    about: 'two replicas, while the API server restarts, watches are cut and everything changes',
    minutes: 62,
    play: playSoak,
  },
};
