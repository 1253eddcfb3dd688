import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

/** One line of Markdown that says where the figures were measured: they mean nothing without it. */
export function describeMachine(): string {
  const processors = cpus();
  const go = execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' }).trim();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `Measured ${new Date().toISOString().slice(0, 10)} on ${processors.length} × ${processors[0]?.model ?? 'unknown processor'}, ${gib} GiB, Linux ${release()}, Node ${process.version}, ${go}; load generator, servers and everything else on the same machine.\n`;
}
