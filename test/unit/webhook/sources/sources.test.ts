import { expect } from 'chai';
import { Registry as Register } from 'prom-client';
import { ApiError } from '../../../../kube/object-client.ts';
import type { KubernetesObject } from '../../../../core/object.ts';
import type { KnownSources, SourceAnswer, SourceRef } from '../../../../core/injection/sources.ts';
import { sourceName } from '../../../../core/injection/sources.ts';
import { createSourceMetrics } from '../../../../webhook/sources/metrics.ts';
import { coreResource } from '../../../../core/resources.ts';
import { sourceReader } from '../../../../webhook/sources/source-reader.ts';
import { Sources } from '../../../../webhook/sources/sources.ts';
import { testLog } from '../../../support/test-log.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';
import { MemoryApi } from '../../../support/memory-api.ts';

const APP: SourceRef = { kind: 'ConfigMap', name: 'app' };
const OTHER: SourceRef = { kind: 'ConfigMap', name: 'other' };
const DB: SourceRef = { kind: 'Secret', name: 'db' };
const REFERENCE = 'vault:kv/a#b';
const HELD = { data: { KEY: REFERENCE } };
const PLAIN = { data: { KEY: '' } };
const MISSING = { missing: true };

describe('Sources', () => {
  let api: MemoryApi;
  let clock: ManualClock;
  let register: Register;
  let sources: Sources;
  let changes: string[];

  beforeEach(() => {
    api = new MemoryApi();
    clock = new ManualClock();
    register = new Register();
    changes = [];
    sources = new Sources({
      read: sourceReader(api),
      client: api,
      clock,
      random: () => 0.5,
      logger: testLog().logger,
      metrics: createSourceMetrics(register),
      rereadMs: 60_000,
    });
    sources.onChange((namespace, ref) => changes.push(`${namespace} ${sourceName(ref)}`));
  });
  afterEach(() => sources.stop());

  const encoded = ({ kind }: SourceRef, text: string): string =>
    kind === 'Secret' ? Buffer.from(text).toString('base64') : text;

  async function put(ref: SourceRef, text: string, namespace = 'shop'): Promise<void> {
    const resource = coreResource(ref.kind, namespace);
    const object = {
      apiVersion: 'v1',
      kind: ref.kind,
      metadata: { name: ref.name, namespace },
      data: { KEY: encoded(ref, text) },
    } as KubernetesObject;
    await ((await api.get(resource, ref.name)) ? api.replace(resource, object) : api.create(resource, object));
    api.calls.splice(0);
  }

  const reads = (): number => api.calls.filter((call) => call.startsWith('get ')).length;

  async function find(ref: SourceRef, waitMs = 2_500, namespace = 'shop'): Promise<SourceAnswer | undefined> {
    return (await sources.find(namespace, { objects: [ref] }, waitMs))(ref);
  }

  const answerOf = (known: KnownSources | undefined, ref: SourceRef): unknown =>
    known === undefined ? 'unknown' : known(ref);
  const known = (ref: SourceRef): unknown => answerOf(sources.known('shop', { objects: [ref] }), ref);
  const fresh = (ref: SourceRef): unknown => answerOf(sources.fresh('shop', { objects: [ref] }), ref);

  async function counted(result: string): Promise<number | undefined> {
    const metric = await register.getSingleMetric('vault_injection_source_reads_total')?.get();
    return metric?.values.find(({ labels }) => labels.result === result)?.value;
  }

  it('knows nothing until somebody has asked, then for a second', async () => {
    await put(APP, REFERENCE);
    expect(fresh(APP)).to.equal('unknown');
    expect(await find(APP)).to.deep.equal(HELD);
    await clock.advance(999);
    expect([fresh(APP), known(APP)]).to.deep.equal([HELD, HELD]);
    await clock.advance(1);
    expect([fresh(APP), known(APP)]).to.deep.equal(['unknown', 'unknown']);
    expect([reads(), await counted('Read'), await counted('Remembered')]).to.deep.equal([1, 1, 2]);
  });

  it('knows it for a second also when the clock is set back or forward', async () => {
    await put(DB, REFERENCE);
    const isKnown = (): boolean => sources.fresh('shop', { objects: [DB] }) !== undefined;
    await sources.find('shop', { objects: [DB] }, 2_500);
    clock.set(3_600_000);
    expect(isKnown()).to.equal(true);
    clock.set(-7_200_000);
    await clock.advance(1_000);
    expect(isKnown()).to.equal(false);
  });

  it('knows an object of one namespace only there', async () => {
    await put(APP, REFERENCE);
    expect(await find(APP)).to.deep.equal(HELD);
    expect(await find(APP, 2_500, 'other')).to.deep.equal(MISSING);
  });

  it('knows all objects of a workload, or says that somebody has to be asked', async () => {
    await put(APP, REFERENCE);
    await find(APP);
    expect(sources.fresh('shop', { objects: [APP, DB] })).to.equal(undefined);
    const both = await sources.find('shop', { objects: [APP, DB] }, 2_500);
    expect([both(APP), both(DB)]).to.deep.equal([HELD, MISSING]);
    expect(both({ kind: 'Secret', name: 'app' })).to.equal(undefined);
    expect(reads()).to.equal(2);
  });

  it('asks once for all who ask at the same time', async () => {
    await put(APP, REFERENCE);
    const all = await Promise.all(Array.from({ length: 40 }, () => find(APP)));
    expect(all).to.deep.equal(Array.from({ length: 40 }, () => HELD));
    expect(reads()).to.equal(1);
  });

  it('reads a few at a time, refuses what there is no room for, and counts that as Busy', async () => {
    const hanging = new Sources({
      read: () => new Promise(() => undefined),
      client: api,
      clock,
      random: () => 0.5,
      logger: testLog().logger,
      metrics: createSourceMetrics((register = new Register())),
      rereadMs: 60_000,
    });
    // 4 of a namespace are read, and 1,024 wait
    for (let first = 0; first < 1_100; first += 50) {
      const objects = Array.from({ length: 50 }, (_, index): SourceRef => ({
        kind: 'Secret',
        name: `s${first + index}`,
      }));
      void hanging.find('shop', { objects }, 2_500);
    }
    await settle();
    expect([await counted('Busy'), await counted('Failed')]).to.deep.equal([1_100 - 4 - 1_024, 0]);
  });

  it('reads 64 objects of a workload, and says so if there are more', async () => {
    const objects = Array.from({ length: 66 }, (_, index): SourceRef => ({ kind: 'ConfigMap', name: `c${index}` }));
    const answers = await sources.find('shop', { objects }, 2_500);
    expect(objects.slice(62).map(answers)).to.deep.equal([
      MISSING,
      MISSING,
      { unreadable: 'only the first 64 ConfigMaps and Secrets of a workload are read' },
      { unreadable: 'only the first 64 ConfigMaps and Secrets of a workload are read' },
    ]);
    expect(reads()).to.equal(64);
    expect(objects.map(sources.fresh('shop', { objects }) ?? (() => undefined))).to.deep.equal(objects.map(answers));
  });

  it('remembers no more than its bounds allow', async () => {
    const text = `vault:kv/${'a'.repeat(2 ** 20)}#b`;
    for (let index = 0; index < 6; index++) {
      const ref: SourceRef = { kind: 'ConfigMap', name: `c${index}` };
      await put(ref, text);
      await find(ref);
    }
    const size = await register.getSingleMetric('vault_injection_source_cache_size')?.get();
    expect(size?.values[0]?.value).to.equal(3);
  });

  describe('while the API server is slow', () => {
    let answer: () => void;
    beforeEach(async () => {
      await put(APP, REFERENCE);
      const held = new Promise<void>((resolve) => (answer = resolve));
      api.before = (operation) => (operation === 'get' ? held : undefined);
    });

    it('answers by the deadline with the reason, and knows it when the read has finished', async () => {
      const late = find(APP);
      await clock.advance(2_500);
      expect(await late).to.deep.equal({ unreadable: 'the API server did not answer within 2.5 s; try again' });
      expect(await counted('TooSlow')).to.equal(1);
      answer();
      await settle();
      expect(fresh(APP)).to.deep.equal(HELD);
    });

    it('reports a read that finished too late, if the object is in use', async () => {
      sources.watch('shop', [APP]);
      const late = find(APP);
      await clock.advance(2_500);
      await late;
      answer();
      await settle();
      expect([known(APP), changes]).to.deep.equal([HELD, ['shop ConfigMap app']]);
    });

    it('answers with what was known before', async () => {
      api.before = () => undefined;
      await find(APP);
      await clock.advance(60_000);
      api.before = (operation) => (operation === 'get' ? new Promise(() => undefined) : undefined);
      const late = find(APP);
      await clock.advance(2_500);
      expect(await late).to.deep.equal(HELD);
      expect(await counted('Kept')).to.equal(1);
    });
  });

  it('keeps what it knows while the API server fails, and asks again each time', async () => {
    await put(APP, REFERENCE);
    await find(APP);
    await clock.advance(1_000);
    api.before = () => {
      throw new ApiError(500, 'InternalError', 'no');
    };
    expect(await find(APP)).to.deep.equal(HELD);
    expect(await find(APP)).to.deep.equal(HELD);
    expect(reads()).to.equal(3);
    expect(await find(DB)).to.deep.equal({ unreadable: 'the API server answered 500; try again' });
    expect([await counted('Kept'), await counted('Failed')]).to.deep.equal([2, 1]);
  });

  describe('of objects in use', () => {
    async function use(...refs: SourceRef[]): Promise<void> {
      sources.start();
      for (const ref of refs) await find(ref);
      sources.watch('shop', refs);
      await settle();
      api.calls.splice(0);
    }

    it('knows them without asking, however long ago they were read', async () => {
      await put(APP, REFERENCE);
      await put(DB, REFERENCE);
      await use(APP, DB);
      await clock.advance(30_000);
      expect([known(APP), known(DB)]).to.deep.equal([HELD, HELD]);
      expect([fresh(APP), fresh(DB)]).to.deep.equal(['unknown', 'unknown']);
    });

    it('notices that a ConfigMap is changed, deleted and created', async () => {
      await put(APP, 'plain');
      await use(APP);
      expect(known(APP)).to.deep.equal(PLAIN);
      await put(APP, REFERENCE);
      await settle();
      expect([known(APP), changes.splice(0)]).to.deep.equal([HELD, ['shop ConfigMap app']]);
      await api.delete(coreResource('ConfigMap', 'shop'), 'app');
      await settle();
      expect([known(APP), changes.splice(0)]).to.deep.equal([MISSING, ['shop ConfigMap app']]);
      await put(APP, REFERENCE);
      await settle();
      expect([known(APP), changes.splice(0)]).to.deep.equal([HELD, ['shop ConfigMap app']]);
    });

    it('does not report a change that concerns no reference', async () => {
      await put(APP, 'plain');
      await use(APP);
      await put(APP, 'otherwise');
      await settle();
      expect([reads(), changes]).to.deep.equal([1, []]);
    });

    it('reads no ConfigMap that is not in use', async () => {
      await put(APP, 'plain');
      await use(APP);
      await put(OTHER, REFERENCE);
      await settle();
      expect([reads(), changes]).to.deep.equal([0, []]);
    });

    it('watches the ConfigMaps of the cluster once, by their metadata, and only while one is in use', async () => {
      await put(APP, 'plain');
      await put(APP, 'plain', 'third');
      const begun: unknown[] = [];
      const list = api.list.bind(api);
      api.list = (resource, options) => {
        begun.push([resource.plural, resource.namespace, options?.metadataOnly]);
        return list(resource, options) as never;
      };
      sources.start();
      sources.watch('other', [DB]);
      await settle();
      expect(begun).to.deep.equal([]);
      sources.watch('shop', [APP]);
      sources.watch('third', [APP]);
      await settle();
      expect(begun).to.deep.equal([['configmaps', undefined, true]]);
      sources.watch('shop', []);
      sources.watch('third', []);
      sources.watch('third', [APP]);
      await clock.advance(120_000);
      expect(begun, 'the same').to.have.length(1);
      sources.watch('third', []);
      await clock.advance(120_000);
      sources.watch('third', [APP]);
      await settle();
      expect(begun, 'a new one').to.have.length(2);
    });

    it('notices what changed in an instant before it came into use', async () => {
      await put(APP, 'plain');
      await put(OTHER, 'plain');
      await use(OTHER);
      await find(APP);
      await put(APP, REFERENCE);
      sources.watch('shop', [OTHER, APP]);
      await settle();
      expect([known(APP), changes]).to.deep.equal([HELD, ['shop ConfigMap app']]);
    });

    it('watches no more when the last user is gone', async () => {
      await put(APP, 'plain');
      await use(APP);
      sources.watch('shop', []);
      await put(APP, REFERENCE);
      await clock.advance(1_000);
      expect([reads(), changes, known(APP)]).to.deep.equal([0, [], 'unknown']);
    });

    it('notices what changed between the read and the first list', async () => {
      await put(APP, 'plain');
      await find(APP);
      await put(APP, REFERENCE);
      sources.start();
      sources.watch('shop', [APP]);
      await settle();
      expect([known(APP), changes]).to.deep.equal([HELD, ['shop ConfigMap app']]);
    });

    it('notices what changed before it came into use, while another was', async () => {
      await put(APP, 'plain');
      await put(OTHER, 'plain');
      await use(OTHER);
      await find(APP);
      await put(APP, REFERENCE);
      await settle();
      sources.watch('shop', [OTHER, APP]);
      await settle();
      expect([known(APP), changes]).to.deep.equal([HELD, ['shop ConfigMap app']]);
    });

    for (const [when, prepare] of [
      ['a reading', () => use(APP)],
      ['the first reading', () => use(OTHER).then(() => sources.watch('shop', [APP]))],
    ] as const)
      it(`reads once more if a change comes during ${when}`, async () => {
        await put(APP, 'plain');
        await prepare();
        await clock.advance(1_000);
        let answer = (): void => undefined;
        const get = api.get.bind(api);
        api.get = async (resource, name) => {
          const object = await get(resource, name);
          api.get = get;
          await new Promise<void>((resolve) => (answer = resolve));
          return object as never;
        };
        const early = find(APP);
        await settle();
        await api.replace(coreResource('ConfigMap', 'shop'), {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'app', namespace: 'shop' },
          data: { KEY: REFERENCE },
        });
        await settle();
        answer();
        expect(await early).to.deep.equal(PLAIN);
        await settle();
        expect([known(APP), changes]).to.deep.equal([HELD, ['shop ConfigMap app']]);
      });

    it('notices within a minute that a Secret changes, reading at most five a second', async () => {
      const many = Array.from({ length: 10 }, (_, index): SourceRef => ({ kind: 'Secret', name: `s${index}` }));
      for (const ref of many) await put(ref, 'plain');
      await use(...many);
      await put({ kind: 'Secret', name: 's9' }, REFERENCE);
      await clock.advance(60_000);
      expect(reads()).to.equal(1);
      await clock.advance(1_000);
      expect(reads()).to.equal(6);
      await clock.advance(1_000);
      expect([reads(), changes]).to.deep.equal([10, ['shop Secret s9']]);
    });

    it('notices that a Secret may be read', async () => {
      await put(DB, REFERENCE);
      api.before = (operation) => {
        if (operation === 'get') throw new ApiError(403, 'Forbidden', 'no');
      };
      await use(DB);
      expect(known(DB)).to.have.property('unreadable').that.contains('a Role');
      api.before = () => undefined;
      await clock.advance(60_000);
      expect([known(DB), changes]).to.deep.equal([HELD, ['shop Secret db']]);
    });

    it('reads a ConfigMap again that could not be read when it changed', async () => {
      await put(APP, 'plain');
      await use(APP);
      let isDown = true;
      api.before = (operation) => {
        if (operation === 'get' && isDown) throw new ApiError(500, 'InternalError', 'no');
      };
      await api.replace(coreResource('ConfigMap', 'shop'), {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'app', namespace: 'shop' },
        data: { KEY: REFERENCE },
      });
      await settle();
      expect(known(APP)).to.deep.equal(PLAIN);
      isDown = false;
      await clock.advance(60_000);
      expect([known(APP), changes]).to.deep.equal([HELD, ['shop ConfigMap app']]);
      api.calls.splice(0);
      await clock.advance(120_000);
      expect(reads()).to.equal(0);
    });

    it('asks nothing more when it is stopped', async () => {
      await put(DB, REFERENCE);
      await use(DB);
      await sources.stop();
      await clock.advance(600_000);
      expect(reads()).to.equal(0);
    });
  });
});
