import type { IncomingMessage } from 'node:http';
import type { BodyRoom } from './body-room.ts';

export interface BodyLimits {
  /** Bytes of one body. */
  readonly bytes: number;
  /** The room that all bodies share. */
  readonly room: BodyRoom;
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
 * Reads the body of a request from `address` within limits; `done` is called once. A body over its limit is dropped, not
 * kept: if its announced end is near, it is read to the end, so that the connection can be reused, else `done` is called
 * at once. The same goes for a body that is not wanted.
 */
export function receiveBody(
  request: IncomingMessage,
  address: string,
  { bytes, room }: BodyLimits,
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
    seat?.leave();
    held = 0;
  };
  const refuse = (why: Refused | 'Unwanted'): void => {
    refused = why;
    letGo();
    if (!endsWithin(request, bytes)) finish({ refused: why, sending: true });
  };
  const seat = unwanted ? undefined : room.enter(address, () => refuse('NoRoom'));
  request.on('data', (chunk: Buffer) => {
    if (refused !== undefined) return;
    if (held + chunk.length > bytes) refuse('TooLarge');
    else if (seat?.hold(chunk.length) !== true) refuse('NoRoom');
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
  else if (seat === undefined) refuse('NoRoom');
  else if (!endsWithin(request, bytes) && !isChunked(request)) refuse('TooLarge');
}

/** Whether the body ends within so many bytes, by its Content-Length. */
function endsWithin(request: IncomingMessage, bytes: number): boolean {
  return !isChunked(request) && Number(request.headers['content-length'] ?? 0) <= bytes;
}

function isChunked(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined;
}
