import { expect } from 'chai';

import { EventRecorder } from '../../../kube/event-recorder.ts';
import type { Occurrence } from '../../../kube/event-recorder.ts';
import { ApiError } from '../../../kube/object-client.ts';
import type { KubernetesObject, Resource } from '../../../core/object.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import type { LogLine } from '../../support/test-log.ts';
import { hiddenIn, HOSTILE } from '../../support/hostile-text.ts';
import { testLog } from '../../support/test-log.ts';

const MINUTE = 60_000;

const about = (name: string, message = 'what happened'): Occurrence => ({
  regarding: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name, uid: `uid-${name}` },
  type: 'Warning',
  reason: 'EntrypointUnknown',
  message,
});

type StoredEvent = KubernetesObject & Record<string, unknown>;

describe('recording events', () => {
  let clock: ManualClock;
  let stored: Map<string, StoredEvent>;
  let calls: string[];
  let refusal: ApiError | undefined;
  let outcomes: string[];
  let lines: LogLine[];
  let recorder: EventRecorder;

  const client = {
    create: <T extends KubernetesObject>(resource: Resource, object: KubernetesObject): Promise<T> => {
      calls.push(`create ${resource.namespace} ${resource.plural}`);
      const { name } = object.metadata;
      if (refusal !== undefined) return Promise.reject(refusal);
      if (stored.has(name)) return Promise.reject(new ApiError(409, 'AlreadyExists', 'already exists'));
      stored.set(name, object);
      return Promise.resolve(object as T);
    },
    patch: <T extends KubernetesObject>(_: Resource, name: string, changes: object): Promise<T> => {
      calls.push('patch');
      const before = stored.get(name);
      if (before === undefined) return Promise.reject(new ApiError(404, 'NotFound', 'not found'));
      const after = { ...before, ...changes };
      stored.set(name, after);
      return Promise.resolve(after as T);
    },
  };

  const newRecorder = (): EventRecorder => {
    const log = testLog();
    lines = log.lines;
    return new EventRecorder({
      client,
      component: 'operator',
      instance: 'operator-0',
      clock,
      logger: log.logger,
      onOutcome: (outcome) => outcomes.push(outcome),
    });
  };
  const only = (): StoredEvent | undefined => [...stored.values()][0];

  beforeEach(() => {
    clock = new ManualClock(Date.UTC(2026, 0, 2, 12));
    stored = new Map();
    calls = [];
    refusal = undefined;
    outcomes = [];
    recorder = newRecorder();
  });

  afterEach(() => recorder.stop());

  it('writes an event beside the object, as kubectl describe looks for it', async () => {
    recorder.record(about('web'));
    await clock.advance(0);
    expect(calls).to.deep.equal(['create shop events']);
    const { metadata, ...event } = only() ?? {};
    expect(metadata?.name).to.match(/^web\.[0-9a-f]{16}$/);
    expect(event).to.deep.equal({
      apiVersion: 'v1',
      kind: 'Event',
      involvedObject: about('web').regarding,
      type: 'Warning',
      reason: 'EntrypointUnknown',
      message: 'what happened',
      count: 1,
      firstTimestamp: '2026-01-02T12:00:00Z',
      lastTimestamp: '2026-01-02T12:00:00Z',
      source: { component: 'operator' },
      reportingComponent: 'operator',
      reportingInstance: 'operator-0',
    });
  });

  it('writes the same one at most every five minutes, and counts what came in between', async () => {
    for (let minute = 0; minute <= 5; minute += 1) {
      recorder.record(about('web'));
      await clock.advance(MINUTE);
    }
    expect(calls).to.deep.equal(['create shop events', 'patch']);
    expect(only()).to.include({
      count: 6,
      firstTimestamp: '2026-01-02T12:00:00Z',
      lastTimestamp: '2026-01-02T12:05:00Z',
    });
  });

  it('repeats it in time when the clock was set back, and writes down the time of day', async () => {
    recorder.record(about('web'));
    await clock.advance(5 * MINUTE);
    clock.set(-60 * MINUTE);
    recorder.record(about('web'));
    await clock.advance(0);
    expect(calls).to.deep.equal(['create shop events', 'patch']);
    expect(only()).to.include({ count: 2, lastTimestamp: '2026-01-02T11:05:00Z' });
  });

  it('repeats it not more often when the clock was set forward', async () => {
    recorder.record(about('web'));
    await clock.advance(0);
    clock.set(60 * MINUTE);
    recorder.record(about('web'));
    await clock.advance(0);
    expect(calls).to.deep.equal(['create shop events']);
  });

  it('tells apart object, reason and message', async () => {
    recorder.record(about('web'));
    recorder.record(about('db'));
    recorder.record(about('web', 'something else'));
    recorder.record({ ...about('web'), reason: 'Denied' });
    await clock.advance(0);
    expect(stored.size).to.equal(4);
  });

  it('goes on with the event that an earlier process has written', async () => {
    recorder.record(about('web'));
    await clock.advance(0);
    await recorder.stop();
    await clock.advance(MINUTE);
    recorder = newRecorder();
    recorder.record(about('web'));
    await clock.advance(6 * MINUTE);
    recorder.record(about('web'));
    await clock.advance(0);
    expect(stored.size).to.equal(1);
    expect(only()).to.include({ count: 2, lastTimestamp: '2026-01-02T12:07:00Z' });
  });

  it('starts over when the event is gone', async () => {
    recorder.record(about('web'));
    await clock.advance(61 * MINUTE);
    stored.clear();
    recorder.record(about('web'));
    await clock.advance(0);
    expect(only()).to.include({ count: 1, firstTimestamp: '2026-01-02T13:01:00Z' });
  });

  it('retries with the next occurrence what could not be written', async () => {
    refusal = new ApiError(500, 'InternalError', 'no');
    recorder.record(about('web'));
    await clock.advance(0);
    expect([outcomes, stored.size]).to.deep.equal([['Failed'], 0]);
    refusal = undefined;
    recorder.record(about('web'));
    await clock.advance(0);
    expect(outcomes).to.deep.equal(['Failed', 'Written']);
    expect(only()).to.include({ count: 2 });
  });

  it('logs few lines while no event can be written, and one when they can', async () => {
    refusal = new ApiError(0, 'Unreachable', 'connection refused');
    for (let index = 0; index < 100; index += 1) recorder.record(about(`web-${index}`));
    await clock.advance(60_000);
    refusal = undefined;
    recorder.record(about('web'));
    await clock.advance(0);
    expect(lines.map(({ level, message }) => `${level} ${message}`)).to.deep.equal([
      'warn writing events failed, will retry',
      'info writing events works again',
    ]);
    expect(lines[0]?.fields).to.include({ kind: 'Deployment', object: 'shop/web-0', reason: 'EntrypointUnknown' });
  });

  it('writes 25 at once and five a second from then on', async () => {
    for (let index = 0; index < 40; index += 1) recorder.record(about(`web-${index}`));
    await clock.advance(0);
    expect(stored.size).to.equal(25);
    await clock.advance(1_000);
    expect(stored.size).to.equal(30);
    await clock.advance(60_000);
    expect(stored.size).to.equal(40);
  });

  it('lets namespaces take turns: a thousand events of one do not keep back, or drop, one of another', async () => {
    for (let index = 0; index < 1_000; index += 1) recorder.record(about(`web-${index}`));
    const { regarding } = about('web');
    recorder.record({ ...about('web'), regarding: { ...regarding, namespace: 'other' } });
    await clock.advance(1_000);
    expect(calls.findIndex((call) => call.startsWith('create other'))).to.be.within(0, 30);
  });

  it('drops what exceeds its queue, and counts that', async () => {
    for (let index = 0; index < 600; index += 1) recorder.record(about(`web-${index}`));
    await clock.advance(300_000);
    const count = (outcome: string): number => outcomes.filter((each) => each === outcome).length;
    expect(count('Written') + count('Dropped')).to.equal(600);
    expect(count('Dropped')).to.be.within(95, 105);
  });

  it('creates names that the API server accepts, however long the name of the object is', async () => {
    recorder.record(about(`${'a'.repeat(235)}.${'b'.repeat(17)}`));
    await clock.advance(0);
    expect(only()?.metadata.name).to.match(/^a{235}\.[0-9a-f]{16}$/);
  });

  it('shows a message within the limit of an event, which is in bytes', async () => {
    recorder.record(about('web', HOSTILE));
    recorder.record(about('web', 'é'.repeat(5_000)));
    await clock.advance(0);
    const messages = [...stored.values()].map(({ message }) => String(message));
    expect(messages.flatMap(hiddenIn)).to.deep.equal([]);
    expect(messages.map((message) => Buffer.byteLength(message))).to.deep.equal([1_024, 1_023]);
  });

  it('writes nothing after it was stopped, not even what was waiting', async () => {
    for (let index = 0; index < 40; index += 1) recorder.record(about(`web-${index}`));
    await clock.advance(0);
    await recorder.stop();
    recorder.record(about('late'));
    await clock.advance(60_000);
    expect(stored.size).to.equal(25);
  });
});
