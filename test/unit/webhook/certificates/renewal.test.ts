import { expect } from 'chai';
import { LEAF_LIFE_MS } from '../../../../webhook/certificates/leaf.ts';
import { planRenewal } from '../../../../webhook/certificates/renewal.ts';
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
  isNextSettled: false,
  isPreviousNeeded: undefined,
  isRenewalAsked: false,
};

const table: readonly [string, Partial<RenewalState>, RenewalStep][] = [
  ['nothing there: an authority is made', {}, 'Create'],
  ['a young authority', { current: aged(1) }, 'Rest'],
  ['just before two thirds of its life', { current: aged(239) }, 'Rest'],
  ['at two thirds of its life', { current: aged(240) }, 'Stage'],
  ['made by a clock that was set back by weeks since: nobody takes it', { current: aged(-20) }, 'Create'],
  ['made by a clock that was set back by hours since', { current: aged(-0.9) }, 'Rest'],
  ['somebody asks for a new one', { current: aged(1), isRenewalAsked: true }, 'Stage'],
  [
    'asked for while one is staged: the first one goes on',
    { current: aged(1), next: aged(0), isRenewalAsked: true },
    'Rest',
  ],
  [
    'asked for while another one is retired: the first one goes on',
    { current: aged(1), previous: aged(2), isRenewalAsked: true, isPreviousNeeded: true },
    'Rest',
  ],
  ['staged, nobody has it yet', { current: aged(240), next: aged(0) }, 'Rest'],
  ['settled', { current: aged(240), next: aged(0), isNextSettled: true }, 'Promote'],
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
  [
    'a replica still serves what it signed, even after a week',
    { current: aged(20), previous: aged(260), promotedAt: NOW - 20 * DAY, isPreviousNeeded: true },
    'Rest',
  ],
  [
    'no replica needs the previous one any more',
    { current: aged(0), previous: aged(240), promotedAt: NOW, isPreviousNeeded: false },
    'Retire',
  ],
  [
    'the previous one is over, whatever a replica says',
    { current: aged(121), previous: aged(361), isPreviousNeeded: true },
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
