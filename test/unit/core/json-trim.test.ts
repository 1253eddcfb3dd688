import { expect } from 'chai';
import { trimObjects } from '../../../core/json-trim.ts';
import { MOST_OF_OBJECT, oversizedOf } from '../../../core/oversized.ts';
import type { RawObject } from '../../../core/json.ts';

const trim = (json: string, ...paths: string[][]): ReturnType<typeof trimObjects> =>
  trimObjects(Buffer.from(json), paths);
const parse = (json: string, ...paths: string[][]): RawObject =>
  JSON.parse(trim(json, ...paths)?.text ?? '"not JSON"') as RawObject;

/** Counts as the description says: fields and elements of lists. */
function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members = Object.values(value) as unknown[];
  return members.reduce<number>((sum, member) => sum + countOf(member), members.length);
}

const many = (count: number): unknown[] => Array.from({ length: count }, () => ({}));
const deployment = (spec: unknown, metadata: RawObject = {}): RawObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' }, annotations: { a: 'b' }, ...metadata },
  spec,
  status: { replicas: 1 },
});

describe('trimming objects before JSON is parsed', () => {
  const texts = [
    '{}',
    '[]',
    '1',
    '-1.5e+3',
    'true',
    'null',
    '""',
    '"a\\"b\\\\"',
    '"\\\\"',
    '"{[,:]}"',
    ' \n\t{ "a" : [ 1 , { } , [ ] , "x,y" ] , "b" : { "c" : null } } \r\n',
    '{"a":{"a":{"a":[[[[]]]]}}}',
    '[[],[],{},"",0,false]',
    '{"ä":"ö","\\u0061":"😀"}',
    '{"__proto__":{"constructor":1}}',
  ];
  for (const text of texts) {
    it(`keeps ${JSON.stringify(text)} as it is, and counts it`, () => {
      expect(trim(text)).to.deep.equal({ text, elements: countOf(JSON.parse(text)) });
      expect(trim(text, ['a'], ['a', '*'], ['*'], ['a', 'a'])?.text).to.equal(text);
      expect(trim(text, [])?.text).to.equal(text);
    });
  }

  for (const text of [
    '',
    ' ',
    '{',
    '[',
    '{"a"',
    '{"a":',
    '{"a":1',
    '[1',
    '[1,',
    '"a',
    '"a\\"',
    ']',
    '}',
    '{"a":[}',
    '{1:2}',
    '{"a" 1}',
  ]) {
    it(`finds that ${JSON.stringify(text)} is not JSON, or leaves it to the parser`, () => {
      for (const paths of [[], [['a']], [[]]]) {
        const trimmed = trim(text, ...paths);
        if (trimmed !== undefined) expect(() => JSON.parse(trimmed.text) as unknown).to.throw(SyntaxError);
      }
    });
  }

  it('leaves an object that is as large as it may be', () => {
    const object = deployment({ list: many(MOST_OF_OBJECT - 13) });
    expect(countOf(object)).to.equal(MOST_OF_OBJECT);
    expect(parse(JSON.stringify(object), [])).to.deep.equal(object);
  });

  it('replaces a larger one by its head, and says how much there was', () => {
    const object = deployment({ list: many(MOST_OF_OBJECT - 12) });
    const head = parse(JSON.stringify(object), []);
    expect(head).to.deep.include({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: object.metadata });
    expect(head).to.not.have.any.keys('spec', 'status');
    expect(oversizedOf(head)).to.include({ elements: MOST_OF_OBJECT + 1, hasLabels: true });
    expect(oversizedOf(object)).to.equal(undefined);
  });

  it('finds it by its path, wherever it is, and leaves the others', () => {
    const large = deployment(many(50_000));
    const small = deployment({ replicas: 1 });
    const review = { request: { uid: 'u', object: large, oldObject: small, options: { object: 1 } }, object: small };
    const read = parse(JSON.stringify(review), ['request', 'object'], ['request', 'oldObject']) as typeof review;
    expect(oversizedOf(read.request.object)?.elements).to.be.greaterThan(50_000);
    expect(read.request.oldObject).to.deep.equal(small);
    expect(read.request.options).to.deep.equal({ object: 1 });
    const list = { items: [small, large, small, large] };
    const { items } = parse(JSON.stringify(list), ['items', '*']) as typeof list;
    expect(items.map((item) => oversizedOf(item) !== undefined)).to.deep.equal([false, true, false, true]);
    expect(items[2]).to.deep.equal(small);
  });

  it('tells two templates apart, and knows one again whatever else there is in the spec', () => {
    const specOf = (spec: unknown): string | undefined =>
      oversizedOf(parse(JSON.stringify(deployment(spec)), []))?.template;
    expect(specOf(many(50_000))).to.equal(specOf(many(50_000)));
    expect(specOf(many(50_000))).to.not.equal(specOf(many(50_001)));
    const templateOf = (replicas: number, count: number): string | undefined =>
      specOf({ replicas, template: { list: many(count) } });
    expect(templateOf(1, 50_000)).to.equal(templateOf(2, 50_000));
    expect(templateOf(1, 50_000)).to.not.equal(templateOf(1, 50_001));
  });

  it('keeps neither labels nor annotations that are too many, and says so of labels', () => {
    const names = Object.fromEntries(Array.from({ length: 45_000 }, (_, index) => [`k${index}`, '']));
    const labelled = parse(JSON.stringify(deployment({}, { labels: names })), []);
    expect(oversizedOf(labelled)).to.include({ hasLabels: false });
    expect(labelled.metadata).to.deep.equal({ name: 'web', namespace: 'shop', annotations: { a: 'b' } });
    const annotated = parse(JSON.stringify(deployment({}, { annotations: names, finalizers: ['x'] })), []);
    expect(oversizedOf(annotated)).to.include({ hasLabels: true });
    expect(annotated.metadata).to.deep.equal({ name: 'web', namespace: 'shop', labels: { app: 'web' } });
  });

  it('does not count managedFields, however many managers have written to it', () => {
    const spec = { list: many(15_000) };
    const written = deployment(spec, { managedFields: many(30_000) });
    expect(parse(JSON.stringify(written), [])).to.deep.equal(written);
    expect(trim(JSON.stringify(written), [])?.elements).to.be.greaterThan(45_000);
  });

  it('leaves out managedFields that are too many, and does not count them', () => {
    const object = deployment({ replicas: 1 }, { managedFields: [{ manager: 'm' }] });
    expect(parse(JSON.stringify(object), [])).to.deep.equal(object);
    const managed = deployment({ replicas: 1 }, { managedFields: many(50_000) });
    const read = parse(JSON.stringify(managed), []);
    expect(read.spec).to.deep.equal({ replicas: 1 });
    expect(read.metadata).to.include({ name: 'web', managedFields: null });
    expect(trim(JSON.stringify(managed), [])?.elements).to.be.lessThan(20);
  });

  it('counts what is at no path too', () => {
    expect(trim(JSON.stringify({ 'not the object': many(70_000) }), ['object'])?.elements).to.equal(70_001);
  });
});
