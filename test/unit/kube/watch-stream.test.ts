import { expect } from 'chai';

import { ApiError } from '../../../kube/object-client.ts';
import { linesOf, parseWatchEvent } from '../../../kube/watch-stream.ts';

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function linesIn(text: string, size: number): Promise<string[]> {
  return collect(linesOf(inChunks(Buffer.from(text), size)));
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = [];
  for await (const line of lines) collected.push(line);
  return collected;
}

describe('lines of a watch', () => {
  const text = '{"a":"größer 🔑"}\n{"b":"\\n is no end"}\n\n{"c":"日本"}\n';
  const expected = ['{"a":"größer 🔑"}', '{"b":"\\n is no end"}', '{"c":"日本"}'];

  for (const size of [1, 2, 3, 5, 7, 16, 1000]) {
    it(`are the same in chunks of ${size} bytes, even within a character`, async () => {
      expect(await linesIn(text, size)).to.deep.equal(expected);
    });
  }

  it('include the last line although its line break is missing', async () => {
    expect(await linesIn('{"a":1}\n{"b":2}', 4)).to.deep.equal(['{"a":1}', '{"b":2}']);
  });

  it('reject an endless line', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) yield await Promise.resolve(chunk);
    }
    const error: unknown = await collect(linesOf(endless())).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(ApiError).with.property('reason', 'MalformedEvent');
  });
});

describe('an event of a watch', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { name: 'a', resourceVersion: '7' },
    future: { field: 1 },
  };

  it('keeps unknown fields', () => {
    expect(parseWatchEvent(JSON.stringify({ type: 'ADDED', object }))).to.deep.equal({ type: 'ADDED', object });
  });

  it('may be a bookmark, which has no name', () => {
    const bookmark = {
      type: 'BOOKMARK',
      object: { kind: 'Thing', apiVersion: 'v1', metadata: { resourceVersion: '9' } },
    };
    expect(parseWatchEvent(JSON.stringify(bookmark))).to.deep.equal(bookmark);
  });

  it('may be an error, of which code and reason count', () => {
    const line = JSON.stringify({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
    });
    expect(parseWatchEvent(line)).to.deep.equal({ type: 'ERROR', status: { code: 410, reason: 'Expired' } });
  });

  const malformed: Readonly<Record<string, string>> = {
    'half a line': '{"type":"ADDED","obj',
    'no object': '{"type":"ADDED"}',
    'another type': JSON.stringify({ type: 'EXPLODED', object }),
    'no version': JSON.stringify({ type: 'ADDED', object: { ...object, metadata: { name: 'a' } } }),
    'no name': JSON.stringify({ type: 'ADDED', object: { ...object, metadata: { resourceVersion: '7' } } }),
    null: 'null',
  };
  for (const [what, line] of Object.entries(malformed)) {
    it(`is rejected without quoting it: ${what}`, () => {
      expect(() => parseWatchEvent(line)).to.throw(ApiError, 'a watch sent a line that is not an event');
    });
  }
});
