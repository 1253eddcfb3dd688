import { expect } from 'chai';
import { LEAF_LIFE_MS } from '../../../../webhook/certificates/leaf.ts';
import { PUBLISH_WAIT_MS, planRenewal } from '../../../../webhook/certificates/renewal.ts';
import type { RenewalState, RenewalStep } from '../../../../webhook/certificates/renewal.ts';

const DAY = 24 * 3600_000;
const NOW = Date.parse('2026-11-23T12:00:00Z');

/** An authority of 360 days that is so many days old. */
const aged = (days: number): { notBefore: number; notAfter: number } => ({
  notBefore: NOW - days * DAY,
  notAfter: NOW + (360 - days) * DAY,
});

const EMPTY: RenewalState = {
  current: undefined,
  next: undefined,
  previous: undefined,
  promotedAt: undefined,
  nextPublishedSince: undefined,
};

const table: readonly [string, Partial<RenewalState>, RenewalStep][] = [
  ['nothing there: an authority is made', {}, 'Create'],
  ['a young authority', { current: aged(1) }, 'Rest'],
  ['just before two thirds of its life', { current: aged(239) }, 'Rest'],
  ['at two thirds of its life', { current: aged(240) }, 'Stage'],
  ['made by a clock that was set back since: nobody takes it', { current: aged(-2) }, 'Create'],
  ['staged, nobody has it yet', { current: aged(240), next: aged(0) }, 'Rest'],
  ['published just now', { current: aged(240), next: aged(0), nextPublishedSince: NOW }, 'Rest'],
  [
    'published for almost long enough',
    { current: aged(240), next: aged(0), nextPublishedSince: NOW - PUBLISH_WAIT_MS + 1 },
    'Rest',
  ],
  [
    'published for long enough',
    { current: aged(240), next: aged(0), nextPublishedSince: NOW - PUBLISH_WAIT_MS },
    'Promote',
  ],
  ['staged so long ago that the next one is old itself', { current: aged(300), next: aged(240) }, 'Stage'],
  ['promoted just now', { current: aged(0), previous: aged(240), promotedAt: NOW }, 'Rest'],
  [
    'promoted, and a leaf of the previous one may be valid',
    { current: aged(6), previous: aged(246), promotedAt: NOW - LEAF_LIFE_MS + 1 },
    'Rest',
  ],
  [
    'promoted, and no leaf of the previous one can be valid',
    { current: aged(7), previous: aged(247), promotedAt: NOW - LEAF_LIFE_MS },
    'Retire',
  ],
  ['nobody knows when it was promoted, the previous one is valid', { current: aged(20), previous: aged(260) }, 'Rest'],
  [
    'nobody knows when it was promoted, the previous one is over',
    { current: aged(121), previous: aged(361) },
    'Retire',
  ],
  [
    'two rotations at once: the first one ends first',
    { current: aged(240), previous: aged(300), promotedAt: NOW - DAY },
    'Rest',
  ],
  ['over, after a year switched off', { current: aged(360) }, 'Create'],
  ['over, but the next one was staged: it may be published', { current: aged(361), next: aged(100) }, 'Promote'],
  ['over, and so is the next one', { current: aged(500), next: aged(400) }, 'Create'],
  ['the current one is damaged, the next one is whole', { next: aged(0) }, 'Promote'],
];

describe('the rotation of authorities', () => {
  for (const [what, state, step] of table) {
    it(`${what}: ${step}`, () => expect(planRenewal({ ...EMPTY, ...state }, NOW)).to.equal(step));
  }
});
