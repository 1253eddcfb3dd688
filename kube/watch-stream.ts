import { asObject, parseJson } from '../core/json.ts';
import type { RawObject } from '../core/json.ts';
import { SHORT_JSON, trimObjects } from '../core/json-trim.ts';
import type { KubernetesObject } from '../core/object.ts';
import type { WatchEvent } from './object-client.ts';
import { ApiError } from './object-client.ts';

// etcd accepts objects of 1.5 MiB, and the API server requests of 3 MiB; no line that it sends is this long.
const LONGEST_LINE = 16 * 1024 * 1024;

/**
 * Yields the lines of a stream of bytes, wherever its chunks begin and end, even in the middle of a character. It skips
 * empty lines and includes a last line without a line break. Rejects with ApiError if a line is longer than 16 Mi
 * characters.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  // Pieces of the unfinished line: joined once, so that a line of many chunks is not copied repeatedly.
  let pieces: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    pieces.push(first);
    length += first.length;
    if (length > LONGEST_LINE) throw new ApiError(0, 'MalformedEvent', 'a watch sent a line of more than 16 MiB');
    for (const next of others) {
      const line = pieces.join('');
      pieces = [next];
      length = next.length;
      if (line !== '') yield line;
    }
  }
  const last = pieces.join('') + decoder.decode();
  if (last !== '') yield last;
}

/**
 * Parses one line of a watch. Throws ApiError (code 0, MalformedEvent) if it is not a watch event.
 * @param isTrimmed whether an object with too much in it is read by its head alone (core/oversized.ts)
 */
export function parseWatchEvent<T extends KubernetesObject>(line: string, isTrimmed = false): WatchEvent<T> {
  const isLong = isTrimmed && line.length >= SHORT_JSON;
  const { type, object } = parseLine(isLong ? (trimObjects(Buffer.from(line), [['object']])?.text ?? '') : line);
  if (type === 'ERROR') {
    const { code, reason } = object;
    return {
      type,
      status: { code: typeof code === 'number' ? code : 0, reason: typeof reason === 'string' ? reason : 'Unknown' },
    };
  }
  const metadata = object.metadata as Record<string, unknown> | undefined;
  if (typeof metadata?.resourceVersion !== 'string') throw malformed();
  if (type === 'BOOKMARK') return { type, object: object as unknown as T };
  if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') throw malformed();
  if (typeof metadata.name !== 'string') throw malformed();
  return { type, object: object as unknown as T };
}

function parseLine(line: string): { type: unknown; object: RawObject } {
  const event = asObject(parseJson(line));
  const object = asObject(event?.object);
  if (object === undefined) throw malformed();
  return { type: event?.type, object };
}

// It leaves out the content of the line, which may be a Secret.
function malformed(): ApiError {
  return new ApiError(0, 'MalformedEvent', 'a watch sent a line that is not an event');
}
