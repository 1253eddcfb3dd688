import { expect } from 'chai';

import { ExecPluginError, runExecPlugin } from '../../../kube/exec-plugin.ts';

describe('running an exec plugin', () => {
  const { signal } = new AbortController();
  const shell = (script: string) => ({ command: '/bin/sh', args: ['-c', script], apiVersion: 'v1' });

  it('returns its credential, with the time until which it counts', async () => {
    const status = {
      token: 't',
      clientCertificateData: 'CERT',
      clientKeyData: 'KEY',
      expirationTimestamp: '2026-01-02T03:04:05Z',
    };
    const script = `printf '%s' '${JSON.stringify({ kind: 'ExecCredential', status })}'`;
    expect(await runExecPlugin(shell(script), { cluster: {}, signal })).to.deep.equal({
      token: 't',
      clientCertificateData: 'CERT',
      clientKeyData: 'KEY',
      expiresAt: Date.parse(status.expirationTimestamp),
    });
  });

  it('that hangs ends with its deadline, although what it started holds its output open', async () => {
    const script = 'echo s3cret; sleep 600 & sleep 600';
    const error: unknown = await runExecPlugin(shell(script), { cluster: {}, signal, deadlineMs: 100 }).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(ExecPluginError);
    expect((error as Error).message).to.equal(
      'the exec plugin "sh" of the kubeconfig did not end within 0.1 s: run its command by hand to see what it waits for',
    );
  });
});
