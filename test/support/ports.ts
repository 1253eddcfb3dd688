import { createServer } from 'node:net';

// Below the range that Linux hands out for outgoing connections (32768 and up), so that a server that is stopped for a
// while finds its port free when it comes back.
const LOWEST = 20_000;
const HIGHEST = 29_999;

/** `count` different TCP ports that nobody listens on at 127.0.0.1. */
export async function freePorts(count: number, random: () => number = Math.random): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > 1000) throw new Error(`no ${count} free ports between ${LOWEST} and ${HIGHEST} on 127.0.0.1`);
    const port = LOWEST + Math.floor(random() * (HIGHEST - LOWEST + 1));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

/** One such port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('unreachable: freePorts gives as many as asked for');
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
