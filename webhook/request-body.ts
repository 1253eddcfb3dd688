import type { IncomingMessage } from 'node:http';

export interface BodyLimits {
  /** Bytes of this body. */
  readonly bytes: number;
  /** Reserves room for so many more bytes; a negative number releases room. Returns false if there is none. */
  hold(count: number): boolean;
}

/** Why a body was not accepted. */
export type Refused = 'TooLarge' | 'NoRoom';

export type Received =
  | { readonly body: Buffer }
  /** `sending`: the client has not finished, and what it still sends is dropped. */
  | { readonly refused: Refused | 'Unwanted'; readonly sending: boolean }
  /** The client disconnected. */
  | 'gone';

/**
 * Reads a request's body within limits; `done` is called once. A body over its limit is dropped, not kept: if its
 * announced end is near, it is read to the end, so that the connection can be reused, else `done` is called at once.
 */
export function receiveBody(
  request: IncomingMessage,
  limits: BodyLimits,
  unwanted: boolean,
  done: (received: Received) => void,
): void {
  let chunks: Buffer[] = [];
  let held = 0;
  let refused: Refused | 'Unwanted' | undefined;
  let isDone = false;
  const finish = (received: Received): void => {
    if (isDone) return;
    isDone = true;
    letGo();
    done(received);
  };
  const letGo = (): void => {
    chunks = [];
    limits.hold(-held);
    held = 0;
  };
  const refuse = (why: Refused | 'Unwanted'): void => {
    refused = why;
    letGo();
    if (!endsWithin(request, limits.bytes)) finish({ refused: why, sending: true });
  };
  request.on('data', (chunk: Buffer) => {
    if (refused !== undefined) return;
    if (held + chunk.length > limits.bytes) refuse('TooLarge');
    else if (!limits.hold(chunk.length)) refuse('NoRoom');
    else {
      held += chunk.length;
      chunks.push(chunk);
    }
  });
  request.on('end', () => {
    const [first] = chunks;
    if (refused !== undefined) finish({ refused, sending: false });
    else finish({ body: chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, held) });
  });
  request.on('close', () => finish('gone'));
  if (unwanted) refuse('Unwanted');
  else if (!endsWithin(request, limits.bytes) && !isChunked(request)) refuse('TooLarge');
}

/** Whether the body ends within so many bytes, by its Content-Length. */
function endsWithin(request: IncomingMessage, bytes: number): boolean {
  return !isChunked(request) && Number(request.headers['content-length'] ?? 0) <= bytes;
}

function isChunked(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined;
}
