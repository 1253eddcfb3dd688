import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { ListWatchServer } from '../../support/list-watch-server.ts';
import { eventually } from '../../support/manual-clock.ts';

describe('a process around OperatorAdapter', function () {
  // a process has to start, perhaps on a busy machine
  this.timeout(60_000);

  let server: ListWatchServer;
  let folder: string;
  let child: ChildProcess;
  let output: string;

  beforeEach(async () => {
    server = await ListWatchServer.start();
    folder = mkdtempSync(join(tmpdir(), 'operator-process-'));
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, server.kubeConfig().exportConfig());
    child = spawn(process.execPath, [join(import.meta.dirname, 'thing-process.ts'), kubeconfig]);
    output = '';
    child.stdout?.on('data', (data: Buffer) => (output += data.toString()));
  });

  afterEach(async () => {
    child.kill('SIGKILL');
    await server.goAway().catch(() => undefined);
    rmSync(folder, { recursive: true });
  });

  it('survives everything that ended the stock one, and exits by itself with 0 when it is asked to', async () => {
    server.put('a');
    await eventually(() => expect(output).to.equal('ADDED a\n'), 30_000);
    server.reset();
    server.failNext(500, 2);
    server.failNext(403, 1);
    await eventually(() => expect(server.openWatches).to.equal(1));
    server.sendError(410, 'Expired');
    await eventually(() => expect(server.lists.length).to.be.at.least(2));
    server.put('b');
    await eventually(() => expect(output).to.equal('ADDED a\nADDED b\n'));
    child.kill('SIGTERM');
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect({ code, signal }).to.deep.equal({ code: 0, signal: null });
  });
});
